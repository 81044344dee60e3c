// Puts what the connector sends in the place of what is shown. Without it the page is whole, and reloads itself.
"use strict";
(() => {
  const main = document.querySelector("main[data-events]");
  const lost = document.getElementById("lost");
  if (!main || !("EventSource" in window)) return;

  const put = (id, html) => {
    const place = document.getElementById(id);
    if (!place) return;
    const fresh = document.createElement("template");
    fresh.innerHTML = html;
    if (fresh.innerHTML === place.innerHTML.trim()) return; // said once, read aloud once
    const focused = place.contains(document.activeElement) ? document.activeElement : null;
    const open = [...place.querySelectorAll("details[open]")].map((one) => one.id);
    place.replaceChildren(fresh.content);
    for (const name of open) document.getElementById(name)?.setAttribute("open", "");
    if (!focused) return;
    const link = focused.getAttribute("href");
    const again = focused.id
      ? document.getElementById(focused.id)
      : link && [...place.querySelectorAll("a")].find((one) => one.getAttribute("href") === link);
    (again || main).focus({ preventScroll: true });
  };

  let events;
  const listen = () => {
    events = new EventSource(main.dataset.events);
    events.addEventListener("parts", (event) => {
      const { title, ...parts } = JSON.parse(event.data);
      if (title) document.title = title;
      for (const [id, html] of Object.entries(parts)) put(id, html);
    });
    events.addEventListener("open", () => {
      lost.hidden = true;
      document.documentElement.dataset.live = "yes";
    });
    events.addEventListener("error", () => {
      lost.hidden = false;
      document.documentElement.dataset.live = "no";
    });
  };
  listen();
  // A browser holds six connections to a server: tabs in the background must not use them up.
  if (main.dataset.while === "seen")
    document.addEventListener("visibilitychange", () => (document.hidden ? events.close() : listen()));
})();
