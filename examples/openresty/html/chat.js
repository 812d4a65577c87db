// The page of the chat. Messages of others are inserted as text, never as HTML.
"use strict";

const { chat: settings, Pusher } = window;
const find = (selector) => document.querySelector(selector);

const ABOUT = {
  lobby: "A public channel: everybody may listen.",
  den: "End-to-end encrypted: the Channels server cannot read the messages.",
};
const TYPING_SHOWN_MS = 2500;
const TYPING_SENT_EVERY_MS = 1200;

let room = "lobby";
let me = settings.visitor;
let people = null;

// ---- showing things ----

function element(tag, className, text) {
  const made = document.createElement(tag);
  made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function face(id, name) {
  const made = element("span", "face", [...name][0].toUpperCase());
  let hash = 7;
  for (const letter of id) hash = (hash * 31 + letter.codePointAt(0)) % 360;
  made.style.background = `hsl(${hash} 55% 45%)`;
  made.setAttribute("aria-hidden", "true");
  return made;
}

const clock = (time) => new Date(time).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
const listOf = (name) => find(`.messages[data-room="${name}"]`);

function append(name, item) {
  const list = listOf(name);
  const atEnd = list.scrollTop + list.clientHeight >= list.scrollHeight - 60;
  list.querySelector(".empty")?.remove();
  list.append(item);
  if (atEnd) list.scrollTop = list.scrollHeight;
}

function showMessage(name, message) {
  const item = element("li", "message");
  const last = listOf(name).lastElementChild;
  item.dataset.id = message.id;
  item.classList.toggle("mine", me !== undefined && message.id === me.id);
  item.classList.toggle("follows", last?.dataset.id === message.id);
  item.append(face(message.id, message.name), element("span", "who", `${message.name}, ${clock(message.time)}`),
    element("span", "text", message.text));
  append(name, item);
  forgetTyping(message.id);
  if (name !== room) countUnread(name, 1);
}

function showNotice(notice) {
  const item = element("li", "notice", `${notice.name} ${notice.what}`);
  item.append(element("time", "", clock(notice.time)));
  append("lobby", item);
}

function countUnread(name, more) {
  const badge = find(`.room[data-room="${name}"] .unread`);
  const count = more === 0 ? 0 : Number(badge.textContent) + more;
  badge.textContent = count || "";
  badge.hidden = count === 0;
}

function showPeople() {
  const all = [];
  people.members.each((member) => all.push({ id: member.id, name: member.info.name }));
  all.sort((a, b) => a.name.localeCompare(b.name));
  find("#count").textContent = all.length;
  find("#people").replaceChildren(...all.map(({ id, name }) => {
    const item = element("li", "");
    item.append(face(id, name), element("span", "name", name));
    if (id === me.id) item.append(element("small", "", "you"));
    return item;
  }));
}

function enter(name) {
  room = name;
  for (const button of document.querySelectorAll(".room")) {
    button.setAttribute("aria-current", button.dataset.room === name);
  }
  for (const list of document.querySelectorAll(".messages")) {
    list.hidden = list.dataset.room !== name;
  }
  find("#title").textContent = find(`.room[data-room="${name}"] span`).textContent;
  find("#about").textContent = ABOUT[name];
  listOf(name).scrollTop = listOf(name).scrollHeight;
  countUnread(name, 0);
  showTyping();
}

// ---- who is typing ----

const typing = new Map(); // id -> { name, room, timer }

function showTyping() {
  const names = [...typing.values()].filter((one) => one.room === room).map((one) => one.name);
  find("#typing").textContent = names.length === 0 ? ""
    : `${names.join(" and ")} ${names.length === 1 ? "is" : "are"} typing …`;
}

function forgetTyping(id) {
  clearTimeout(typing.get(id)?.timer);
  typing.delete(id);
  showTyping();
}

function noteTyping(event, metadata) {
  const member = people.members.get(metadata.user_id);
  if (!member) return;
  clearTimeout(typing.get(member.id)?.timer);
  const timer = setTimeout(forgetTyping, TYPING_SHOWN_MS, member.id);
  typing.set(member.id, { name: member.info.name, room: event.room, timer });
  showTyping();
}

let typingSent = 0;

function sendTyping() {
  if (people?.subscribed && Date.now() - typingSent > TYPING_SENT_EVERY_MS) {
    typingSent = Date.now();
    people.trigger("client-typing", { room }); // from browser to browser, without our server
  }
}

// ---- talking ----

async function post(path, value) {
  const response = await fetch(path, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(value),
  });
  const result = await response.json();
  if (!response.ok) throw new Error(result.error);
  return result;
}

async function say(event) {
  event.preventDefault();
  const input = find("#text");
  const text = input.value.trim();
  if (text === "") return;
  input.value = "";
  typingSent = 0;
  try {
    await post("say", { room, text });
  } catch (error) {
    input.value = text;
    append(room, element("li", "notice", error.message));
  }
}

function listen() {
  const pusher = new Pusher(settings.key, {
    cluster: settings.cluster ?? "local",
    ...(settings.cluster ? {} : {
      wsHost: settings.host, wsPort: settings.port, wssPort: settings.port, forceTLS: settings.secure,
      enabledTransports: ["ws", "wss"],
    }),
    enableStats: false,
    channelAuthorization: { endpoint: "pusher/auth", transport: "ajax" },
  });
  pusher.connection.bind("state_change", ({ current }) => {
    find("#connection").textContent = current;
    find("#connection").dataset.state = current;
  });
  const lobby = pusher.subscribe(settings.channels.lobby);
  lobby.bind("message", (message) => showMessage("lobby", message));
  lobby.bind("notice", showNotice);
  pusher.subscribe(settings.channels.den).bind("message", (message) => showMessage("den", message));
  people = pusher.subscribe(settings.channels.people);
  for (const event of ["pusher:subscription_succeeded", "pusher:member_added", "pusher:member_removed"]) {
    people.bind(event, showPeople);
  }
  people.bind("pusher:member_removed", (member) => forgetTyping(member.id));
  people.bind("client-typing", noteTyping);
  for (const disabled of document.querySelectorAll("#say [disabled]")) disabled.disabled = false;
  find("#text").focus();
}

async function join(event) {
  event.preventDefault();
  try {
    me = await post("join", { name: find("#name").value.trim() });
    find("#welcome").close();
    listen();
  } catch (error) {
    find("#refused").textContent = error.message;
  }
}

// ---- beginning ----

for (const name of Object.keys(ABOUT)) {
  listOf(name).append(element("li", "empty", name === "lobby" ? "Nobody has said anything since you came." : "What is said here stays here."));
  find(`.room[data-room="${name}"]`).addEventListener("click", () => enter(name));
}
find("#say").addEventListener("submit", say);
find("#text").addEventListener("input", sendTyping);
find("#join").addEventListener("submit", join);
find("#welcome").addEventListener("cancel", (event) => event.preventDefault());
enter("lobby");
if (me) listen(); else find("#welcome").showModal();
