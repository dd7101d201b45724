"use strict";
// The chat. It sends each turn with fetch, shows the answer as it comes, and keeps the conversation
// in this tab. Everything that comes from the assistant is put into the page as text.

const page = document.getElementById("chat");
const restart = document.getElementById("restart");
const log = document.getElementById("log");
const state = document.getElementById("state");
const form = document.getElementById("say");
const input = document.getElementById("message");
const stop = document.getElementById("stop");
const origins = page.dataset.origins.split(" ");
const key = "chat:" + page.dataset.id;

const limits = { text: 20000, label: 300, address: 2000, buttons: 30, cards: 20, entries: 300, stored: 500000, event: 4000000 };
let talk; // { login, conversation, entries, ended }; undefined after the logout
let open; // the AbortController of the turn under way
let plain = false; // the assistant can't stream

function make(name, properties, ...children) {
  const e = Object.assign(document.createElement(name), properties);
  e.append(...children);
  return e;
}

// string returns a text of the assistant, which may be anything.
function string(v, limit = limits.text) {
  if (typeof v !== "string") return "";
  return v.length > limit ? v.slice(0, limit) + " … (shortened)" : v;
}

// read returns a value of JSON. Voiceflow sends raw control characters in texts.
const read = text => JSON.parse(text.replace(/[\0-\x1f]/g, " "));

const list = v => (Array.isArray(v) ? v : []);
const object = v => (v && typeof v === "object" ? v : {});

// address returns a link that may be followed, or "".
function address(v) {
  try {
    const u = new URL(v);
    return u.href.length > limits.address ? "" : u.protocol === "https:" && !u.username && !u.password || u.protocol === "mailto:" ? u.href : "";
  } catch {
    return "";
  }
}

function link(href, text) {
  return make("a", { href, target: "_blank", rel: "noopener noreferrer" }, text);
}

// prose returns a text as a paragraph, with its addresses as links; nothing for no text.
function prose(v) {
  const text = string(v);
  if (!text.trim()) return [];
  const p = make("p");
  let rest = 0;
  for (const m of text.matchAll(/\[([^\]\n]{1,300})\]\(((?:https:\/\/|mailto:)[^\s()<>"]+)\)|(?:https:\/\/|mailto:)[^\s<>"]+/gu)) {
    const found = m[2] ?? m[0].replace(/[.,;:!?)\]}'*]+$/, "");
    const href = address(found);
    if (!href) continue;
    p.append(text.slice(rest, m.index), link(href, m[1] ?? found));
    rest = m.index + (m[2] ? m[0].length : found.length);
  }
  p.append(text.slice(rest));
  return [p];
}

const note = text => make("p", { className: "quiet-note" }, text);

function picture(v, alt) {
  return media(v, "picture", src => make("img", { src, alt, loading: "lazy", referrerPolicy: "no-referrer" }));
}

// media returns a picture or a recording, if its origin is allowed.
function media(v, what, show) {
  if (!v || typeof v !== "string") return [];
  let u;
  try {
    u = new URL(v);
  } catch {
    return [];
  }
  if (u.protocol === "data:") return []; // spoken text comes so beside the text itself
  if (u.protocol !== "https:") return [note(`A ${what} is not shown.`)];
  if (!origins.includes(u.origin)) return [note(`A ${what} from ${u.host} is not shown. An admin can allow it.`)];
  return [make("p", {}, show(u.href))];
}

// buttons returns the choices that a trace offers.
function buttons(all) {
  const box = make("div", { className: "choices" });
  for (const b of list(all).slice(0, limits.buttons)) {
    const request = object(object(b).request), payload = object(request.payload);
    const label = string(object(b).name, limits.label) || string(payload.label, limits.label);
    if (!label) continue;
    const one = make("span", { className: "choice" });
    if (request.type && typeof request.type === "string") {
      const button = make("button", { type: "button", className: "quiet", dir: "auto" }, label);
      button.addEventListener("click", () => turn({ choice: JSON.stringify(request), label }));
      one.append(button);
    }
    const href = list(payload.actions).map(action => address(object(object(action).payload).url)).find(Boolean);
    if (href) one.append(link(href, one.hasChildNodes() ? "Open the link" : label));
    if (one.hasChildNodes()) box.append(one);
  }
  const left = list(all).length - limits.buttons;
  return [...(box.hasChildNodes() ? [box] : []), ...(left > 0 ? [note(`${left} more choices are not shown.`)] : [])];
}

function card(v) {
  const c = object(v), title = string(c.title, limits.label);
  return make("div", { className: "card" },
    ...picture(c.imageUrl, title),
    ...(title ? [make("p", { className: "title" }, title)] : []),
    ...prose(object(c.description).text),
    ...buttons(c.buttons));
}

// parts returns what is shown of a trace.
function parts(trace) {
  const p = object(trace.payload);
  switch (trace.type) {
    case "text": return prose(p.message);
    case "speak":
      return [...prose(p.message), ...media(p.src, "recording", src => make("audio", { src, controls: true, preload: "none", ariaLabel: "Recording" }))];
    case "choice": return buttons(p.buttons);
    case "visual": return picture(p.image, "Picture");
    case "cardV2": return [card(p)];
    case "carousel": {
      const cards = list(p.cards);
      const shown = [make("div", { className: "cards" }, ...cards.slice(0, limits.cards).map(card))];
      Object.assign(shown[0], { tabIndex: 0, role: "group", ariaLabel: "Cards" });
      return cards.length > limits.cards ? [...shown, note(`${cards.length - limits.cards} more cards are not shown.`)] : shown;
    }
    case "end": return [note("The assistant has ended the conversation.")];
    case "path": case "flow": case "block": case "goto": case "log": case "debug": return []; // they tell the flow, not the user
  }
  return [note(`Not shown: ${string(trace.type, 60) || "a message without a type"}`)];
}

// show puts an entry of the conversation into the page.
function show(entry) {
  // Choices that were offered before can't be taken any more.
  if (entry.me) for (const b of log.querySelectorAll("button")) b.disabled = true;
  const follow = entry.me || log.scrollHeight - log.scrollTop - log.clientHeight < 100;
  const e = make("div", { className: entry.me ? "said mine" : entry.problem ? "said problem" : "said", dir: "auto" });
  if (entry.me) e.append(make("p", {}, make("span", { className: "by" }, "You: "), entry.me));
  else if (entry.problem) e.append(make("p", {}, entry.problem));
  else e.append(...parts(object(entry.trace)));
  if (entry.leave) e.append(make("p", {}, make("a", { href: page.dataset.leave }, "Log in")));
  if (!e.hasChildNodes()) return;
  log.append(e);
  while (log.childElementCount > limits.entries) log.firstElementChild.remove();
  if (follow) log.scrollTop = log.scrollHeight;
}

function add(entry) {
  talk.entries.push(entry);
  talk.entries.splice(0, talk.entries.length - limits.entries);
  if (entry.trace?.type === "end") end();
  show(entry);
}

function end() {
  talk.ended = true;
  form.hidden = true;
}

function save() {
  try {
    const text = JSON.stringify(talk);
    if (text.length <= limits.stored) sessionStorage.setItem(key, text);
    else sessionStorage.setItem(key, JSON.stringify({ ...talk, entries: talk.entries.slice(-20).filter(e => JSON.stringify(e).length < 20000) }));
  } catch { /* a full or a missing store only loses what a reload would show */ }
}

// begin begins a conversation. Its name is a random UUID, also where the page came by plain http and
// the browser has no randomUUID.
function begin() {
  const conversation = Array.from(crypto.getRandomValues(new Uint16Array(8)), n => n.toString(16).padStart(4, "0"))
    .join("").replace(/(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
  talk = { login: page.dataset.login, conversation, entries: [], ended: false };
  form.hidden = false;
  log.replaceChildren();
  turn({ launch: "true" });
}

function busy(controller) {
  open = controller;
  stop.hidden = !open;
  log.ariaLive = "polite"; // what an earlier page has shown was not announced
  state.textContent = open ? "The assistant is answering." : "";
}

// turn sends what the user does and shows what the assistant answers.
async function turn(fields) {
  if (open || !talk || talk.ended) return;
  const mine = talk, controller = new AbortController(), from = document.activeElement;
  let answered = false;
  // What comes after a restart belongs to the conversation before.
  const put = entry => {
    answered = true;
    if (mine === talk) add(entry);
  };
  const said = fields.message ?? fields.label;
  if (said) add({ me: said });
  save();
  busy(controller);
  try {
    const answer = await fetch(form.action, {
      method: "POST", signal: controller.signal,
      headers: { Accept: plain ? "application/json" : "text/event-stream" },
      body: new URLSearchParams({ ...fields, conversation: mine.conversation }),
    });
    if (!answer.ok) put(await failure(answer));
    else if (answer.headers.get("Content-Type")?.startsWith("text/event-stream")) await stream(answer, put);
    else {
      plain = true;
      traces(await answer.text(), put);
    }
    if (!answered) put({ problem: "The assistant answered with nothing." });
  } catch (error) {
    put({ problem: error.name === "AbortError" ? "You stopped the answer." : "The connection was lost before the answer was complete." });
  }
  if (mine !== talk) return;
  const at = document.activeElement;
  const moved = at && at !== from && at !== document.body && at !== stop && !at.disabled;
  busy();
  save();
  if (!moved) (talk.ended ? restart : input).focus();
}

// traces takes a whole answer.
function traces(text, put) {
  let all;
  try {
    all = read(text);
  } catch { /* it is no list either */ }
  if (!Array.isArray(all)) put({ problem: "The assistant sent an answer that can't be shown." });
  for (const trace of list(all)) put({ trace: object(trace) });
}

// failure returns what is told of an answer that is an error.
async function failure(answer) {
  const body = object(await answer.json().catch(() => ({})));
  // Voiceflow has errors of its own, which are for programs.
  if (!body.request_id) body.message = `Voiceflow answered with status ${answer.status}.`;
  return explained({ ...body, request_id: answer.headers.get("X-Request-Id") }, answer.headers.get("Retry-After"));
}

// explained returns an entry for a failure.
function explained(failure, wait) {
  let problem = string(failure.message, 1000).replace(/\w$/, "$&.");
  if (wait) problem += ` Try again in ${wait} ${wait === "1" ? "second" : "seconds"}.`;
  if (failure.request_id) problem += ` Request id: ${failure.request_id}.`;
  return { problem, leave: failure.code === "not_authenticated" };
}

// stream takes the events of an answer as they come.
async function stream(answer, put) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "", skip = false;
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    text = (text + value).replaceAll("\r\n", "\n");
    let at;
    while ((at = text.indexOf("\n\n")) >= 0) {
      if (!skip) event(text.slice(0, at), put);
      skip = false;
      text = text.slice(at + 2);
    }
    if (text.length > limits.event) {
      if (!skip) put({ problem: "A message of the assistant is too long to be shown." });
      skip = true;
      text = text.slice(-1); // it may begin the end of the event
    }
  }
}

// event takes one server-sent event.
function event(text, put) {
  let name = "", data = "";
  for (const line of text.split("\n")) {
    if (line.startsWith("event:")) name = line.slice(6).trim();
    if (line.startsWith("data:")) data += line.slice(5) + " ";
  }
  if (name !== "trace" && name !== "problem") return;
  let value;
  try {
    value = object(read(data));
  } catch {
    return put({ problem: "The assistant sent a message that can't be shown." });
  }
  put(name === "trace" ? { trace: value } : explained(value));
}

// transcript returns the conversation as text.
function transcript() {
  const name = document.querySelector("h1").textContent;
  return talk.entries.map(e => {
    if (e.me) return "You: " + e.me;
    if (e.problem) return "(" + e.problem + ")";
    const shown = make("div", {}, ...parts(object(e.trace)));
    return name + ": " + [...shown.querySelectorAll("p, button")].map(p => p.textContent).filter(Boolean).join(" / ");
  }).join("\n");
}

form.addEventListener("submit", submitted => {
  submitted.preventDefault();
  const message = input.value.trim();
  if (!message || open) return;
  input.value = "";
  turn({ message });
});
input.addEventListener("keydown", pressed => {
  if (pressed.key !== "Enter" || pressed.shiftKey || pressed.isComposing) return;
  pressed.preventDefault();
  form.requestSubmit();
});
document.addEventListener("keydown", pressed => {
  if (pressed.key === "Escape") open?.abort();
});
stop.addEventListener("click", () => open?.abort());
restart.addEventListener("click", clicked => {
  clicked.preventDefault();
  const before = open;
  busy();
  begin();
  before?.abort();
});
document.getElementById("say-hint").hidden = false;
const copy = document.getElementById("copy");
copy.hidden = false;
copy.addEventListener("click", async () => {
  const was = copy.textContent;
  try {
    await navigator.clipboard.writeText(transcript());
    copy.textContent = "Copied";
  } catch {
    copy.textContent = "Not allowed by the browser";
  }
  setTimeout(() => { copy.textContent = was; }, 2000);
});

// A tab that shows the login says so: console.js. Others may use the computer now.
new BroadcastChannel("login").addEventListener("message", async () => {
  const mayStay = await fetch(location.href, { redirect: "manual" }).then(answer => answer.ok, () => false);
  if (mayStay) return;
  talk = undefined;
  open?.abort();
  log.replaceChildren();
  input.value = "";
  sessionStorage.clear();
  location.replace(page.dataset.leave);
});
// A page that the browser kept may be that of a user who has logged out.
addEventListener("pageshow", shown => {
  if (shown.persisted) location.reload();
});

try {
  talk = JSON.parse(sessionStorage.getItem(key));
} catch { /* what can't be read is not used */ }
if (talk?.login === page.dataset.login && Array.isArray(talk.entries)) {
  log.ariaLive = "off";
  talk.entries.forEach(show);
  if (talk.ended) end();
  else input.focus();
} else begin();
