// Leads from optuna-dashboard back to the study's page of the served site.
"use strict";
(async () => {
  const [port, store] = [HOME_PORT, HOME_STORE];
  const home = `${location.protocol}//${location.hostname}:${port}/`;
  const link = document.createElement("a");
  link.id = "back";
  link.style.cssText = "position: fixed; right: 1rem; bottom: 1rem; z-index: 9999; " +
    "padding: .4rem .8rem; border-radius: .4rem; background: #0b5cad; color: #fff; " +
    "font: 14px system-ui, sans-serif; text-decoration: none";
  document.body.append(link);
  let ids = {};
  try {
    const { study_summaries: found } = await (await fetch("/api/studies")).json();
    const id = (of) => of.user_attrs.find((attribute) => attribute.key === "id")?.value;
    ids = Object.fromEntries(found.map((of) => [of.study_id, id(of)]));
  } catch { /* the link then leads to all studies */ }
  const update = () => {
    const name = ids[location.pathname.match(/studies\/(\d+)/)?.[1]];
    link.href = name ? `${home}${store}/${name}` : home;
    link.textContent = name ? `back to ${name}` : "back to all studies";
  };
  update();
  setInterval(update, 500);
})();
