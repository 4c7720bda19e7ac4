// The page of machines: brings together what the relay says, what the user has chosen, and what is shown.
import { askMe, leave } from './api.js';
import { filterMachines, recallChoice, rememberChoice, sortMachines } from './choice.js';
import { say } from './copy.js';
import { prepareDialog } from './dialog.js';
import { at, setHidden, setText, setTicking, tick } from './dom.js';
import { makeInvite } from './invite.js';
import { Live } from './live.js';
import { showCards, showRows } from './machines.js';
import { makeNews } from './news.js';
import { prepareSessions } from './sessions.js';
import { durationText, momentText } from './text.js';

const GRACE_MS = 1000; // a connection that comes back within this was never lost
const RETURNED_MS = 5000; // how long the page says that it is back
const FIRST_RETRY_MS = 3000;
const TYPING_MS = 700;

const choice = recallChoice();
let me = null;
let machines = null;
let live = null;
let drawing = 0;
let followers = [];

const now = () => Date.now() + (me?.ahead ?? 0);

// The machines

function drawList(shown) {
  const table = choice.form === 'table';
  const view = { me, now: now() };
  showCards(at('machines'), table ? [] : shown, view);
  showRows(at('rows'), table ? shown : [], view);
  setHidden(at('machines'), table || shown.length === 0);
  setHidden(at('table'), !table || shown.length === 0);
}

function drawSummary(all, shown) {
  const online = all.filter((machine) => machine.online).length;
  const part = choice.filter.trim() ? `, ${shown.length} shown` : '';
  setText(at('summary'), all.length ? `${online} of ${all.length} online${part}` : '');
  setHidden(at('none'), all.length === 0 || shown.length > 0);
  setText(at('none-filter'), choice.filter.trim());
  setHidden(at('hint'), online === 0 || shown.length === 0);
}

function drawAround(all) {
  const admin = me.role === 'admin';
  setHidden(at('empty'), all.length > 0);
  setHidden(at('empty-admin'), !admin);
  setHidden(at('empty-member'), admin);
  setHidden(at('add'), !admin || all.length === 0);
  setHidden(at('tools'), all.length === 0);
  setHidden(at('why'), me.services_suffix !== undefined || !all.some(
    (machine) => (machine.services ?? []).some((service) => service.kind === 'http')));
}

function draw() {
  drawing = 0;
  if (!machines) {
    return;
  }
  const all = [...machines.values()];
  const shown = sortMachines(filterMachines(all, choice.filter), choice.sort);
  drawList(shown);
  drawSummary(all, shown);
  drawAround(all);
  return shown;
}

// Nothing is drawn while nobody can see it: browsers then keep the frame back.
function drawSoon() {
  drawing ||= requestAnimationFrame(draw);
}

// The connection

let graceTimer = 0;
let lost = false;

function showBar(kind) {
  const bar = at('bar');
  setHidden(bar, kind === '');
  bar.classList.toggle('good', kind === 'back');
  setHidden(at('bar-now'), kind !== 'lost');
  at('content').classList.toggle('stale', kind === 'lost');
}

function showLost(link) {
  if (!lost) {
    lost = true;
    say('The connection to the relay is lost. This page tries again by itself.');
  }
  showBar('lost');
  setText(at('bar-what'), `The relay cannot be reached${link.reason ? `: ${link.reason}` : ''}.`);
  setTicking(at('bar-more'), () => {
    const rest = Math.ceil((link.next - Date.now()) / 1000);
    const again = rest > 0 ? `Trying again in ${rest} s.` : 'Trying again now.';
    const old = `What you see is from ${momentText(new Date(link.since))}, ${durationText(Date.now() - link.since)} ago.`;
    return machines ? `${old} ${again}` : again;
  }, 0);
}

function showBack() {
  lost = false;
  say('The relay is back.');
  showBar('back');
  setText(at('bar-what'), 'The relay is back.');
  setTicking(at('bar-more'), () => '', 0);
  setTimeout(() => { if (!lost) { showBar(''); } }, RETURNED_MS);
}

function showLink(link) {
  clearTimeout(graceTimer);
  if (link.live && lost) {
    showBack();
    meet().catch(() => {});
  } else if (!link.live && lost) {
    showLost(link);
  } else if (!link.live) {
    graceTimer = setTimeout(() => showLost(live.link), Math.max(0, link.since + GRACE_MS - Date.now()));
  }
}

// Each service has a name of its own below the relay's, which an address cannot have.
function explainNoLinks() {
  const named = new URL(`${location.protocol}//${me.relay_host.includes(':') ? `[${me.relay_host}]` : me.relay_host}`);
  named.port = location.port;
  const better = named.host !== location.host;
  setHidden(at('why-better'), !better);
  setHidden(at('why-none'), better);
  at('why-link').href = named.href;
  setText(at('why-link'), named.href);
}

// Asks who this is; anew when the relay was away, since that may have changed.
async function meet() {
  const known = me;
  me = await askMe();
  if (known && (known.name !== me.name || known.role !== me.role)) {
    location.reload();
  }
  setText(at('user'), me.name);
  explainNoLinks();
  drawSoon();
}

// What the user chooses

function choose(change) {
  Object.assign(choice, change);
  rememberChoice(choice);
  return draw();
}

function prepareFilter() {
  const filter = at('filter');
  let timer = 0;
  filter.value = choice.filter;
  const apply = () => {
    const shown = choose({ filter: filter.value }) ?? [];
    clearTimeout(timer);
    timer = setTimeout(() => say(`${shown.length} ${shown.length === 1 ? 'machine' : 'machines'} shown`), TYPING_MS);
  };
  const clear = () => {
    filter.value = '';
    apply();
    filter.focus();
  };
  filter.addEventListener('input', apply);
  filter.addEventListener('keydown', (event) => {
    if (event.key === 'Escape' && filter.value) {
      event.preventDefault();
      clear();
    }
  });
  at('none-clear').addEventListener('click', clear);
  document.addEventListener('keydown', (event) => {
    const typing = event.target.closest('input, select, textarea, dialog');
    if (event.key === '/' && !typing && !event.ctrlKey && !event.metaKey && !event.altKey && !at('tools').hidden) {
      event.preventDefault();
      filter.focus();
      filter.select();
    }
  });
}

function prepareTools() {
  prepareFilter();
  at('sort').value = choice.sort;
  at('sort').addEventListener('change', () => choose({ sort: at('sort').value }));
  for (const input of document.querySelectorAll('input[name="form"]')) {
    input.checked = input.value === choice.form;
    input.addEventListener('change', () => choose({ form: input.value }));
  }
}

function prepareInvites() {
  const dialog = prepareDialog('invite-dialog');
  const who = () => me;
  const forms = [makeInvite(at('empty-invite'), 'machine', who)];
  const offer = (kind, title) => {
    at(`add-${kind}`).addEventListener('click', () => {
      // Afresh each time: an old line may be used up.
      forms[1] = makeInvite(at('dialog-invite'), kind, who);
      forms[1](machines);
      setText(at('invite-title'), title);
      dialog.showModal();
      at('dialog-invite').querySelector('input').focus();
    });
  };
  offer('machine', 'Add a machine');
  offer('user', 'Invite a person');
  followers.push((all) => forms.forEach((form) => form(all)));
}

// Life

function watchWorld() {
  const look = () => {
    if (!document.hidden) {
      live.poke(false);
      tick(now());
    }
  };
  document.addEventListener('visibilitychange', look);
  window.addEventListener('online', () => live.poke(true));
  window.addEventListener('offline', () => live.poke(true));
  at('bar-now').addEventListener('click', () => live.poke(true));
  // A page that is put aside must not keep the others waiting for it.
  window.addEventListener('pagehide', () => live.stop());
  window.addEventListener('pageshow', () => live.start());
  document.addEventListener('freeze', () => live.stop());
  document.addEventListener('resume', () => live.start());
  setInterval(() => { if (!document.hidden) { tick(now()); } }, 1000);
}

async function meetAtLast() {
  const since = Date.now();
  for (;;) {
    try {
      await meet();
      if (lost) {
        showBack();
      }
      return;
    } catch {
      showLost({ since, next: Date.now() + FIRST_RETRY_MS, reason: '' });
      await new Promise((resolve) => { setTimeout(resolve, FIRST_RETRY_MS); });
    }
  }
}

async function start() {
  const news = makeNews((text) => setText(at('news'), text));
  await meetAtLast();
  prepareTools();
  prepareSessions(now);
  prepareInvites();
  followers.push(news, drawSoon);
  live = new Live(`sallyport ${me.name}`, {
    machines: (all) => {
      machines = all;
      followers.forEach((follower) => follower(all));
    },
    link: showLink,
    ended: leave,
  });
  watchWorld();
  live.start();
}

start();
