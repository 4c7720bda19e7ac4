// The page of alerts: what is wrong, what was, who is told, and when.
import { ask } from './api.js';
import { prepareChannels } from './channels.js';
import { at, follow, make, setHidden, setText, setTicking } from './dom.js';
import { prepareQuiet } from './quiet.js';
import { prepareSettings } from './settings.js';
import { now, startPage, state } from './shell.js';
import { agoText, durationText, machinePath, momentText, roughText } from './text.js';

const SETTLE_MS = 500;

let alerts = null;
let seen = '';
let timer = 0;
let offerMachines = null;

function createAlert(alert) {
  const node = make('li');
  const words = make('p', 'past-words');
  const link = make('a', '', alert.machine);
  const text = make('bdi');
  const when = make('span', 'past-when');
  link.href = machinePath({ name: alert.machine });
  words.append(link, ' ', text);
  node.append(words, when);
  return { node, text, when };
}

const onText = (alert) => (then) => `for ${roughText(then - Date.parse(alert.since))}`;
const pastText = (alert) => (then) => `${momentText(new Date(alert.since))}, ${
  durationText(Date.parse(alert.until) - Date.parse(alert.since))} long, over ${agoText(then - Date.parse(alert.until))}`;

function drawList(list, none, items, write) {
  follow(list, items, (one) => [one.machine, one.kind, one.object, one.since].join(' '), createAlert, (part, one) => {
    setText(part.text, one.text);
    setTicking(part.when, write(one), now());
  });
  setHidden(list, items.length === 0);
  setHidden(none, items.length > 0);
}

function draw() {
  if (!alerts) {
    return;
  }
  drawList(at('on'), at('on-none'), alerts.on, onText);
  drawList(at('past'), at('past-none'), alerts.past, pastText);
  const count = new Set(alerts.on.map((one) => one.machine)).size;
  setText(at('summary'), count ? `${alerts.on.length} on ${count} ${count === 1 ? 'machine' : 'machines'}` : 'all is well');
}

async function load() {
  timer = 0;
  try {
    alerts = await ask('/api/v1/alerts');
    draw();
  } catch {
    // What is shown stays; the bar above says when the relay is away.
  }
}

// The machines' own alerts come with the events; whatever changes among them is asked for anew.
function changed(machines) {
  const told = [...machines.values()].map((machine) =>
    `${machine.name} ${(machine.alerts ?? []).map((alert) => `${alert.kind} ${alert.object} ${alert.since}`)}`).join('\n');
  if (told !== seen) {
    seen = told;
    timer ||= setTimeout(load, SETTLE_MS);
  }
}

startPage({
  draw,
  changed: (machines) => {
    changed(machines);
    offerMachines(machines);
  },
  prepare: () => {
    load();
    prepareChannels(state.me);
    prepareQuiet();
    offerMachines = prepareSettings(state.me);
  },
});
