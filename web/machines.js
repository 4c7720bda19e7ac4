// The machines as cards and as a table. What comes from machines is only ever set as text.
import { createState, followAlerts, updateState, wakeOf } from './condition.js';
import { follow, make, setHidden, setText, setTicking } from './dom.js';
import { followGpuLines, followGpus } from './gpus.js';
import { createMeter, disksOf, memoryOf, updateMeter } from './meter.js';
import { createReach, createRoute, updateReach, updateRoute } from './reach.js';
import { followChips, followServices } from './services.js';
import {
  DASH, agoText, amountText, celsiusText, clockText, durationText, loadText, machinePath, momentText, routeText,
  shareText,
} from './text.js';

const ROW_PX = 4; // of the grid of cards
const GAP_PX = 20;

function makeName(tag, machine) {
  const name = make(tag);
  const link = make('a', 'machine-name', machine.name);
  link.href = machinePath(machine);
  name.append(link);
  return name;
}

// Cards

const cpuText = (status) => [shareText(status.cpu_used_share), status.cpu_temperature_celsius === undefined ? ''
  : celsiusText(status.cpu_temperature_celsius)].filter(Boolean).join(', ');

function factsOf(machine) {
  const since = machine.since ? Date.parse(machine.since) : 0;
  if (!machine.online) {
    const write = (now) => `${agoText(now - since)} (${momentText(new Date(since))})`;
    return since ? [{ name: 'Last seen', write }] : [];
  }
  const status = machine.status ?? {};
  const facts = [];
  if (machine.route) {
    facts.push({ name: 'Route', write: () => routeText(machine.route) });
  }
  if (status.load_1m !== undefined) {
    facts.push({ name: 'Load', write: () => loadText(status) });
  }
  if (status.cpu_used_share !== undefined) {
    facts.push({ name: 'CPU', write: () => cpuText(status) });
  }
  if (status.uptime_s !== undefined) {
    facts.push({ name: 'Uptime', write: () => durationText(status.uptime_s * 1000) });
  }
  if (since) {
    facts.push({ name: 'Connected for', write: (now) => durationText(now - since) });
  }
  if (clockText(machine.clock_offset_s)) {
    facts.push({ name: 'Clock', write: () => clockText(machine.clock_offset_s) });
  }
  return facts;
}

function createFact(fact) {
  const node = make('div');
  const value = make('dd');
  node.append(make('dt', '', fact.name), value);
  return { node, value };
}

function noteText(machine) {
  if (!machine.online && machine.asleep) {
    return 'It said that it goes to sleep.';
  }
  if (!machine.online) {
    return machine.since ? 'It appears here by itself as soon as it reaches the relay again.'
      : 'It appears here as soon as its agent runs and reaches the relay.';
  }
  return (machine.services ?? []).length ? '' : 'It offers no service that you may use.';
}

// Makes the grid's rows fit the cards, before they are painted.
const fit = new ResizeObserver((entries) => {
  for (const { target, borderBoxSize } of entries) {
    target.style.gridRowEnd = `span ${Math.ceil((borderBoxSize[0].blockSize + GAP_PX) / ROW_PX)}`;
  }
});

function createCard(machine) {
  const node = make('li', 'card machine');
  const head = make('div', 'machine-head');
  const part = {
    node,
    state: createState(),
    alerts: make('ul', 'alerts'),
    gpus: make('ul', 'gpus'),
    facts: make('dl', 'facts'),
    reach: createReach(),
    meters: make('div', 'meters'),
    services: make('ul', 'services'),
    note: make('p', 'quiet-note'),
    wake: wakeOf(machine),
  };
  part.alerts.setAttribute('aria-label', `What is wrong with ${machine.name}`);
  part.gpus.setAttribute('aria-label', `GPUs of ${machine.name}`);
  head.append(makeName('h2', machine), part.state.node);
  node.append(head, part.alerts, part.gpus, part.meters, part.facts, part.reach.node, part.services, part.note,
    part.wake.node);
  fit.observe(node);
  return part;
}

function updateCard(part, view, machine) {
  const status = machine.online ? machine.status ?? {} : {};
  const facts = factsOf(machine);
  const meters = [...memoryOf(status), ...disksOf(status)];
  const note = noteText(machine);
  updateState(part.state, machine);
  followAlerts(part.alerts, machine, view.now);
  followGpus(part.gpus, machine, view.now);
  follow(part.facts, facts, (fact) => fact.name, createFact, (fact, item) =>
    setTicking(fact.value, item.write, view.now));
  updateReach(part.reach, machine, view.now);
  follow(part.meters, meters, (meter) => meter.name, createMeter, updateMeter);
  followServices(part.services, machine, view);
  setHidden(part.facts, facts.length === 0);
  setHidden(part.meters, meters.length === 0);
  setHidden(part.wake.node, !machine.asleep || machine.online);
  setText(part.note, note);
  setHidden(part.note, note === '');
}

// Table

function createRow(machine) {
  const node = make('tr');
  const name = makeName('th', machine);
  const part = { node, state: createState(), services: make('ul', 'chips'), gpus: make('ul', 'gpu-lines') };
  name.scope = 'row';
  node.append(name);
  for (const column of ['about', 'gpus', 'route', 'load', 'memory', 'disk', 'use']) {
    part[`${column}Cell`] = make('td', `column-${column}`);
    node.append(part[`${column}Cell`]);
  }
  part.seen = make('span', 'seen');
  part.alerts = make('span', 'seen high');
  part.aboutCell.append(part.state.node, ' ', part.seen, ' ', part.alerts);
  part.way = createRoute();
  part.routeCell.append(part.way.node);
  part.gpusCell.append(part.gpus);
  part.useCell.append(part.services);
  return part;
}

function setShare(cell, machine, meter) {
  setText(cell, meter ? shareText(meter.share) : machine.online ? DASH : '');
  cell.classList.toggle('high', Boolean(meter?.high));
}

function updateRow(part, view, machine) {
  const status = machine.online ? machine.status ?? {} : {};
  const fullest = disksOf(status).sort((a, b) => b.share - a.share)[0];
  const since = machine.since ? Date.parse(machine.since) : 0;
  const alerts = (machine.alerts ?? []).length;
  updateState(part.state, machine);
  setTicking(part.seen, (now) => (machine.online || !since ? '' : `seen ${agoText(now - since)}`), view.now);
  setText(part.alerts, alerts ? amountText(alerts, alerts === 1 ? 'alert' : 'alerts') : '');
  followGpuLines(part.gpus, machine);
  updateRoute(part.way, machine, view.now);
  setText(part.loadCell, status.load_1m === undefined ? machine.online ? DASH : '' : loadText(status));
  setShare(part.memoryCell, machine, memoryOf(status)[0]);
  setShare(part.diskCell, machine, fullest);
  followChips(part.services, machine, view);
}

// Shows `machines`, in this order, within `parent`: a list of cards or the body of the table. `view` is
// { me, now }: who looks, and the relay's time.
export function showCards(parent, machines, view) {
  follow(parent, machines, (machine) => machine.name, createCard, (part, machine) => updateCard(part, view, machine));
}

export function showRows(parent, machines, view) {
  follow(parent, machines, (machine) => machine.name, createRow, (part, machine) => updateRow(part, view, machine));
}
