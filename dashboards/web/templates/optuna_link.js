// Leads from optuna-dashboard back to the studies' pages of the served site, and adds to each card of
// its list the best value and the link.
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
  const known = {}; // user attributes of each study
  const read = async () => {
    try {
      const { study_summaries: found } = await (await fetch("/api/studies")).json();
      for (const { study_id: id, user_attrs: of } of found) {
        known[id] = Object.fromEntries(of.map(({ key, value }) => [key, value]));
      }
    } catch { /* the links then lead to all studies */ }
  };
  const numberOf = (path) => path.match(/studies\/(\d+)/)?.[1];
  const page = (of) => of?.id ? `${home}${store}/${of.id}` : home;

  function complete(card) {
    const of = known[numberOf(card.pathname)];
    if (!of) return;
    card.querySelector("h5").style.wordBreak = "normal"; // names break between words
    card.querySelector("h5").style.overflowWrap = "anywhere";
    card.parentElement.style.maxWidth = "calc(100vw - 7rem)"; // on a phone, too
    let line = card.parentElement.querySelector(".of-study");
    if (!line) {
      line = document.createElement("p");
      line.className = "of-study";
      line.style.cssText = "margin: 0 16px; font: 16px system-ui, sans-serif";
      const [best, back] = [document.createElement("strong"), document.createElement("a")];
      back.style.cssText = "color: inherit; margin-left: .8rem";
      back.textContent = "page of the study";
      line.append(best, back);
      card.after(line);
    }
    line.firstChild.textContent = of.best ? `best ${of.best}` : "";
    line.lastChild.href = page(of);
  }

  const update = () => {
    const of = known[numberOf(location.pathname)];
    link.href = page(of);
    link.textContent = of?.id ? `back to ${of.id}` : "back to all studies";
    for (const title of document.querySelectorAll("a[href*='/studies/'] h5")) {
      complete(title.closest("a"));
    }
  };
  await read();
  update();
  setInterval(update, 500);
  setInterval(async () => { if (!document.hidden) await read(); }, 5000);
})();
