"""What people and programs do to orders in the demo's OMS: each function is the inside of one transaction.

Each returns how many rows it changed, 0 when there is nothing to do it to. Afterwards every order still satisfies
Redo's rules: what was shipped is not taken away, what was not shipped is not refunded. Only `spoil_email` breaks
one, on purpose, and `mend_emails` repairs it.
"""

from __future__ import annotations

from connector.demo.shop.edit_session import EditSession
from connector.demo.shop.rows import CANCEL_REASONS, CARRIERS, COVERAGE, PRODUCTS

_GOODS = "FROM oms.order_item WHERE ord_id = %(order)s AND product_id <> %(coverage)s ORDER BY line_no"
_SET_EMAIL = "UPDATE oms.customer SET email_addr = %(email)s WHERE cust_id = %(customer)s"


async def place_order(session: EditSession) -> int:
    """A new order over several tables, every third one by a new customer."""
    count = 0
    customer = None if session.random.random() < 0.33 else await session.customer()
    if customer is None:
        customer, address = await session.number("cust_seq"), await session.number("addr_seq")
        count = await session.insert(session.shop.customer(customer, address))
    else:
        known = await session.one("SELECT min(addr_id) FROM oms.cust_address WHERE cust_id = %(it)s", it=customer)
        if known is None or known[0] is None:  # a number that a rolled-back transaction used up
            return 0
        address = known[0]
    order, payment = await session.number("ord_seq"), await session.number("pay_seq")
    return count + await session.insert(session.shop.order(order, customer, address, payment, session.now))


async def change_quantity(session: EditSession) -> int:
    """Another number of units of one line, with discount and tax to match."""
    order = await session.order("N")
    lines = await session.all(f"SELECT line_no, qty {_GOODS}", order=order, coverage=COVERAGE)
    if not lines:
        return 0
    line_no, quantity = session.random.choice(lines)
    return await session.change(
        """
        UPDATE oms.order_item
        SET qty = %(units)s,
            disc_amt = round(disc_amt * %(units)s / qty, 2),
            tax_amt = round((unit_price * %(units)s - disc_amt * %(units)s / qty) * coalesce(tax_rate, 0), 2)
        WHERE ord_id = %(order)s AND line_no = %(line)s
        """,
        units=session.random.choice([units for units in range(1, 8) if units != quantity]),
        order=order,
        line=line_no,
    )


async def add_item(session: EditSession) -> int:
    """One more line, under a number that the order never gave before."""
    order = await session.order("N")
    row = await session.one(
        """
        UPDATE oms.order_header SET line_ctr = line_ctr + 1, chg_ts = %(now)s
        WHERE ord_id = %(order)s RETURNING line_ctr
        """,
        now=session.now,
        order=order,
    )
    if order is None or row is None:
        return 0
    return 1 + await session.insert({"oms.order_item": [session.shop.line(order, row[0])]})


async def remove_item(session: EditSession) -> int:
    """Only while another product is left; coverage stays."""
    order = await session.order("N")
    lines = await session.all(f"SELECT line_no {_GOODS}", order=order, coverage=COVERAGE)
    if len(lines) < 2:
        return 0
    query = "DELETE FROM oms.order_item WHERE ord_id = %(order)s AND line_no = %(line)s"
    return await session.change(query, order=order, line=session.random.choice(lines)[0])


async def ship(session: EditSession) -> int:
    """All that is still to be shipped leaves, or one line of it."""
    order = await session.order("P") if session.random.random() < 0.3 else None
    order = order or await session.order("N")
    waiting = await session.all(
        """
        SELECT i.line_no, i.qty - coalesce(sum(si.qty), 0)::integer
        FROM oms.order_item AS i LEFT JOIN oms.shipment_item AS si USING (ord_id, line_no)
        WHERE i.ord_id = %(order)s AND i.product_id <> %(coverage)s
        GROUP BY i.line_no, i.qty HAVING i.qty > coalesce(sum(si.qty), 0) ORDER BY 1
        """,
        order=order,
        coverage=COVERAGE,
    )
    if not waiting:
        return 0
    partial = len(waiting) > 1 and session.random.random() < 0.3
    number = await session.number("shp_seq")
    parcel = (number, order, session.random.choice(CARRIERS), session.shop.track_no(), None, None, 1)
    lines = [(number, order, *line) for line in (waiting[:1] if partial else waiting)]
    count = await session.insert({"oms.shipment": [parcel], "oms.shipment_item": lines})
    # The warehouse's program fills the parcel first and then says that it left.
    left = "UPDATE oms.shipment SET ship_ts = %(now)s WHERE shipment_id = %(parcel)s"
    count += await session.change(left, now=session.now, parcel=number)
    status = "UPDATE oms.order_header SET status_cd = %(status)s WHERE ord_id = %(order)s"
    return count + await session.change(status, status="P" if partial else "S", order=order)


async def deliver(session: EditSession) -> int:
    """The parcel that has been on the way for longest arrives."""
    return await session.change(
        """
        UPDATE oms.shipment SET dlv_ts = %(now)s
        WHERE shipment_id = (SELECT min(shipment_id) FROM oms.shipment WHERE dlv_ts IS NULL)
        """,
        now=session.now,
    )


async def refund(session: EditSession) -> int:
    """One unit that was shipped, and not refunded before, is refunded."""
    order = await session.order("S")
    line = await session.one(
        """
        SELECT i.line_no, 1, round(i.unit_price - i.disc_amt / i.qty, 2), round(i.tax_amt / i.qty, 2)
        FROM oms.order_item AS i
        WHERE i.ord_id = %(order)s
          AND (SELECT coalesce(sum(qty), 0) FROM oms.shipment_item WHERE (ord_id, line_no) = (i.ord_id, i.line_no))
            > (SELECT coalesce(sum(qty), 0) FROM oms.refund_item WHERE (ord_id, line_no) = (i.ord_id, i.line_no))
        ORDER BY i.line_no LIMIT 1
        """,
        order=order,
    )
    if line is None:
        return 0
    number = await session.number("rfnd_seq")
    head = (number, order, session.now, session.random.choice(("did not fit", "arrived broken", None)), 0)
    return await session.insert({"oms.refund": [head], "oms.refund_item": [(number, order, *line)]})


async def cancel(session: EditSession) -> int:
    """An order of which nothing was shipped yet."""
    return await session.change(
        """
        UPDATE oms.order_header SET status_cd = 'X', cxl_ts = %(now)s, cxl_rsn_cd = %(reason)s, chg_ts = %(now)s
        WHERE ord_id = %(order)s
        """,
        now=session.now,
        reason=session.random.choice(CANCEL_REASONS),
        order=await session.order("N"),
    )


async def correct_email(session: EditSession) -> int:
    """All orders of the customer change."""
    customer = await session.customer()
    if customer is None or customer in session.spoiled:
        return 0
    return await session.change(_SET_EMAIL, email=session.shop.email(customer), customer=customer)


async def move(session: EditSession) -> int:
    """All orders that go to the address change."""
    street, unit, city, state, code = session.shop.address()
    return await session.change(
        """
        UPDATE oms.cust_address
        SET street_1 = %(street)s, street_2 = %(unit)s, city = %(city)s, state_cd = %(state)s, zip_cd = %(code)s
        WHERE cust_id = %(customer)s
        """,
        street=street,
        unit=unit,
        city=city,
        state=state,
        code=code,
        customer=await session.customer(),
    )


async def rename_product(session: EditSession) -> int:
    """One row, and every order that ever held the product."""
    product, name = session.random.randrange(COVERAGE + 1, PRODUCTS + 1), f"Renamed {session.random.randrange(10**6)}"
    query = "UPDATE oms.product SET prod_nm = %(name)s WHERE product_id = %(product)s"
    return await session.change(query, name=name, product=product)


async def write_note(session: EditSession) -> int:
    """A column of the order that the mapping does not read."""
    query = "UPDATE oms.order_header SET internal_note = %(note)s WHERE ord_id = %(order)s"
    return await session.change(query, note=f"called back {session.now}", order=await session.order("N", "S"))


async def move_bins(session: EditSession) -> int:
    """A column of the lines that the mapping does not read."""
    query = "UPDATE oms.order_item SET pick_bin = %(place)s WHERE ord_id = %(order)s"
    return await session.change(
        query, place=f"Z-{session.random.randrange(100):02}", order=await session.order("N", "S")
    )


async def touch(session: EditSession) -> int:
    """An update to the same values, as some programs do."""
    query = "UPDATE oms.order_item SET qty = qty WHERE ord_id = %(order)s"
    return await session.change(query, order=await session.order("N", "S"))


async def count_stock(session: EditSession) -> int:
    """Tables that the mapping does not read."""
    stock = "UPDATE public.wh_stock SET on_hand = on_hand + 1 WHERE product_id = %(product)s"
    count = await session.change(stock, product=session.random.randrange(1, PRODUCTS + 1))
    log = (
        "INSERT INTO oms.audit_log (log_ts, who, what) SELECT %(now)s, 'WHSE', 'bin ' || g FROM generate_series(1, 5) g"
    )
    return count + await session.change(log, now=session.now)


async def spoil_email(session: EditSession) -> int:
    """An address that Redo must refuse, for all orders of the customer."""
    customer = await session.customer()
    row = await session.one("SELECT email_addr FROM oms.customer WHERE cust_id = %(it)s FOR UPDATE", it=customer)
    if customer is None or row is None or "@" not in row[0]:
        return 0
    session.spoiled[customer] = row[0]
    return await session.change(_SET_EMAIL, email=row[0].replace("@", " at "), customer=customer)


async def mend_emails(session: EditSession) -> int:
    """Put right whatever `spoil_email` broke."""
    count = 0
    for customer, email in session.spoiled.items():
        count += await session.change(_SET_EMAIL, email=email, customer=customer)
    session.spoiled.clear()
    return count
