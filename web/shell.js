// What all pages share: who is logged in, the machines as they change, and what is said when the relay is away.
import { askMe, leave } from './api.js';
import { say } from './copy.js';
import { at, setHidden, setText, setTicking, tick } from './dom.js';
import { Live } from './live.js';
import { makeNews } from './news.js';
import { prepareSessions } from './sessions.js';
import { durationText, momentText } from './text.js';

const GRACE_MS = 1000; // a connection that comes back within this was never lost
const RETURNED_MS = 5000; // how long the page says that it is back
const FIRST_RETRY_MS = 3000;

// `me` is there before anything is drawn, `machines` (a map by name) some time later.
export const state = { me: null, machines: null };

let live = null;
let drawing = 0;
let draw = null;

export const now = () => Date.now() + (state.me?.ahead ?? 0);

// Nothing is drawn while nobody can see it: browsers then keep the frame back.
export function drawSoon() {
  drawing ||= requestAnimationFrame(() => {
    drawing = 0;
    draw();
  });
}

function countAlerts() {
  const count = [...state.machines.values()].reduce((sum, machine) => sum + (machine.alerts ?? []).length, 0);
  setText(at('alert-count'), count ? String(count) : '');
  setHidden(at('alert-count'), count === 0);
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
    return state.machines ? `${old} ${again}` : again;
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

// Asks who this is; anew when the relay was away, since that may have changed.
async function meet() {
  const known = state.me;
  state.me = await askMe();
  if (known && (known.name !== state.me.name || known.role !== state.me.role)) {
    location.reload();
  }
  setText(at('user'), state.me.name);
  drawSoon();
}

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

// Begins the page. `page.draw()` shows what is known, again and again; `page.prepare()` is called once, when it is known
// who is logged in; `page.changed(machines)`, which may be left out, follows every change.
export async function startPage(page) {
  const news = makeNews((text) => setText(at('news'), text));
  draw = page.draw;
  await meetAtLast();
  prepareSessions(now);
  page.prepare();
  live = new Live(`sallyport ${state.me.name}`, {
    machines: (all) => {
      state.machines = all;
      countAlerts();
      news(all);
      page.changed?.(all);
      drawSoon();
    },
    link: showLink,
    ended: leave,
  });
  watchWorld();
  live.start();
}
