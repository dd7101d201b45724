"use strict";
// The pages work without this script. It shows times in the reader's zone, copies what a button
// names, sends a form once, and forgets what this tab keeps at the logout.

const format = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
for (const time of document.querySelectorAll("time[datetime]")) {
  const at = new Date(time.dateTime);
  if (!Number.isNaN(at.getTime())) time.textContent = format.format(at);
}

for (const button of document.querySelectorAll("button[data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const source = document.getElementById(button.dataset.copy);
    const text = "value" in source ? source.value : source.textContent;
    const was = button.textContent;
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(source);
      button.textContent = "Press Ctrl+C";
    }
    setTimeout(() => { button.textContent = was; }, 2000);
  });
}

// Voiceflow may take its time to answer. A form that was sent is not sent again.
for (const form of document.querySelectorAll('form[method="post"]:not(#say)')) {
  const buttons = [...form.querySelectorAll("button")];
  form.addEventListener("submit", sent => {
    if (buttons.some(b => b.ariaBusy)) sent.preventDefault();
    for (const b of buttons) b.ariaBusy = "true";
  });
  addEventListener("pageshow", () => buttons.forEach(b => { b.ariaBusy = null; }));
}

// A conversation stays in the storage of its tab. It goes with the login. The page of the login
// also tells the other tabs: nobody is logged in.
for (const form of document.querySelectorAll('form[action$="/console/logout"]')) {
  form.addEventListener("submit", () => sessionStorage.clear());
}
if (document.querySelector("[data-logs-in]")) {
  sessionStorage.clear();
  new BroadcastChannel("login").postMessage("");
}
