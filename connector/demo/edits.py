"""What people and programs do to orders in the demo's OMS: each function is the inside of one transaction.

Each returns how many rows it changed, 0 when there is nothing to do it to. Afterwards every order still satisfies
Redo's rules: what was shipped is not taken away, what was not shipped is not refunded. Only `spoil_email` breaks
one, on purpose, and `mend_emails` repairs it.
"""

from __future__ import annotations

from connector.demo.desk import Desk
from connector.demo.shop import CANCEL_REASONS, CARRIERS, COVERAGE, PRODUCTS

_GOODS = "FROM oms.order_item WHERE ord_id = %(order)s AND product_id <> %(coverage)s ORDER BY line_no"
_SET_EMAIL = "UPDATE oms.customer SET email_addr = %(email)s WHERE cust_id = %(customer)s"


async def place_order(desk: Desk) -> int:
    """A new order over several tables, every third one by a new customer."""
    count = 0
    customer = None if desk.random.random() < 0.33 else await desk.customer()
    if customer is None:
        customer, address = await desk.number("cust_seq"), await desk.number("addr_seq")
        count = await desk.insert(desk.shop.customer(customer, address))
    else:
        known = await desk.one("SELECT min(addr_id) FROM oms.cust_address WHERE cust_id = %(it)s", it=customer)
        if known is None or known[0] is None:  # a number that a rolled-back transaction used up
            return 0
        address = known[0]
    order, payment = await desk.number("ord_seq"), await desk.number("pay_seq")
    return count + await desk.insert(desk.shop.order(order, customer, address, payment, desk.now))


async def change_quantity(desk: Desk) -> int:
    """Another number of units of one line, with discount and tax to match."""
    order = await desk.order("N")
    lines = await desk.all(f"SELECT line_no, qty {_GOODS}", order=order, coverage=COVERAGE)
    if not lines:
        return 0
    line_no, quantity = desk.random.choice(lines)
    return await desk.change(
        """
        UPDATE oms.order_item
        SET qty = %(units)s,
            disc_amt = round(disc_amt * %(units)s / qty, 2),
            tax_amt = round((unit_price * %(units)s - disc_amt * %(units)s / qty) * coalesce(tax_rate, 0), 2)
        WHERE ord_id = %(order)s AND line_no = %(line)s
        """,
        units=desk.random.choice([units for units in range(1, 8) if units != quantity]),
        order=order,
        line=line_no,
    )


async def add_item(desk: Desk) -> int:
    """One more line, under a number that the order never gave before."""
    order = await desk.order("N")
    row = await desk.one(
        """
        UPDATE oms.order_header SET line_ctr = line_ctr + 1, chg_ts = %(now)s
        WHERE ord_id = %(order)s RETURNING line_ctr
        """,
        now=desk.now,
        order=order,
    )
    if order is None or row is None:
        return 0
    return 1 + await desk.insert({"oms.order_item": [desk.shop.line(order, row[0])]})


async def remove_item(desk: Desk) -> int:
    """Only while another product is left; coverage stays."""
    order = await desk.order("N")
    lines = await desk.all(f"SELECT line_no {_GOODS}", order=order, coverage=COVERAGE)
    if len(lines) < 2:
        return 0
    query = "DELETE FROM oms.order_item WHERE ord_id = %(order)s AND line_no = %(line)s"
    return await desk.change(query, order=order, line=desk.random.choice(lines)[0])


async def ship(desk: Desk) -> int:
    """All that is still to be shipped leaves, or one line of it."""
    order = await desk.order("P") if desk.random.random() < 0.3 else None
    order = order or await desk.order("N")
    waiting = await desk.all(
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
    partial = len(waiting) > 1 and desk.random.random() < 0.3
    number = await desk.number("shp_seq")
    parcel = (number, order, desk.random.choice(CARRIERS), desk.shop.track_no(), None, None, 1)
    lines = [(number, order, *line) for line in (waiting[:1] if partial else waiting)]
    count = await desk.insert({"oms.shipment": [parcel], "oms.shipment_item": lines})
    # The warehouse's program fills the parcel first and then says that it left.
    left = "UPDATE oms.shipment SET ship_ts = %(now)s WHERE shipment_id = %(parcel)s"
    count += await desk.change(left, now=desk.now, parcel=number)
    status = "UPDATE oms.order_header SET status_cd = %(status)s WHERE ord_id = %(order)s"
    return count + await desk.change(status, status="P" if partial else "S", order=order)


async def deliver(desk: Desk) -> int:
    """The parcel that has been on the way for longest arrives."""
    return await desk.change(
        """
        UPDATE oms.shipment SET dlv_ts = %(now)s
        WHERE shipment_id = (SELECT min(shipment_id) FROM oms.shipment WHERE dlv_ts IS NULL)
        """,
        now=desk.now,
    )


async def refund(desk: Desk) -> int:
    """One unit that was shipped, and not refunded before, is refunded."""
    order = await desk.order("S")
    line = await desk.one(
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
    number = await desk.number("rfnd_seq")
    head = (number, order, desk.now, desk.random.choice(("did not fit", "arrived broken", None)), 0)
    return await desk.insert({"oms.refund": [head], "oms.refund_item": [(number, order, *line)]})


async def cancel(desk: Desk) -> int:
    """An order of which nothing was shipped yet."""
    return await desk.change(
        """
        UPDATE oms.order_header SET status_cd = 'X', cxl_ts = %(now)s, cxl_rsn_cd = %(reason)s, chg_ts = %(now)s
        WHERE ord_id = %(order)s
        """,
        now=desk.now,
        reason=desk.random.choice(CANCEL_REASONS),
        order=await desk.order("N"),
    )


async def correct_email(desk: Desk) -> int:
    """All orders of the customer change."""
    customer = await desk.customer()
    if customer is None or customer in desk.spoiled:
        return 0
    return await desk.change(_SET_EMAIL, email=desk.shop.email(customer), customer=customer)


async def move(desk: Desk) -> int:
    """All orders that go to the address change."""
    street, unit, city, state, code = desk.shop.address()
    return await desk.change(
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
        customer=await desk.customer(),
    )


async def rename_product(desk: Desk) -> int:
    """One row, and every order that ever held the product."""
    product, name = desk.random.randrange(COVERAGE + 1, PRODUCTS + 1), f"Renamed {desk.random.randrange(10**6)}"
    query = "UPDATE oms.product SET prod_nm = %(name)s WHERE product_id = %(product)s"
    return await desk.change(query, name=name, product=product)


async def write_note(desk: Desk) -> int:
    """A column of the order that the mapping does not read."""
    query = "UPDATE oms.order_header SET internal_note = %(note)s WHERE ord_id = %(order)s"
    return await desk.change(query, note=f"called back {desk.now}", order=await desk.order("N", "S"))


async def move_bins(desk: Desk) -> int:
    """A column of the lines that the mapping does not read."""
    query = "UPDATE oms.order_item SET pick_bin = %(place)s WHERE ord_id = %(order)s"
    return await desk.change(query, place=f"Z-{desk.random.randrange(100):02}", order=await desk.order("N", "S"))


async def touch(desk: Desk) -> int:
    """An update to the same values, as some programs do."""
    query = "UPDATE oms.order_item SET qty = qty WHERE ord_id = %(order)s"
    return await desk.change(query, order=await desk.order("N", "S"))


async def count_stock(desk: Desk) -> int:
    """Tables that the mapping does not read."""
    stock = "UPDATE public.wh_stock SET on_hand = on_hand + 1 WHERE product_id = %(product)s"
    count = await desk.change(stock, product=desk.random.randrange(1, PRODUCTS + 1))
    log = (
        "INSERT INTO oms.audit_log (log_ts, who, what) SELECT %(now)s, 'WHSE', 'bin ' || g FROM generate_series(1, 5) g"
    )
    return count + await desk.change(log, now=desk.now)


async def spoil_email(desk: Desk) -> int:
    """An address that Redo must refuse, for all orders of the customer."""
    customer = await desk.customer()
    row = await desk.one("SELECT email_addr FROM oms.customer WHERE cust_id = %(it)s FOR UPDATE", it=customer)
    if customer is None or row is None or "@" not in row[0]:
        return 0
    desk.spoiled[customer] = row[0]
    return await desk.change(_SET_EMAIL, email=row[0].replace("@", " at "), customer=customer)


async def mend_emails(desk: Desk) -> int:
    """Put right whatever `spoil_email` broke."""
    count = 0
    for customer, email in desk.spoiled.items():
        count += await desk.change(_SET_EMAIL, email=email, customer=customer)
    desk.spoiled.clear()
    return count
