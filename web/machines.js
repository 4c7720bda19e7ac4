// The machines as cards and as a table. What comes from machines is only ever set as text.
import { makeLine, makeShortLine } from './copy.js';
import { follow, make, makeHidden, setHidden, setText, setTicking } from './dom.js';
import { createReach, createRoute, updateReach, updateRoute } from './reach.js';
import {
  agoText, bytesText, clockText, durationText, forwardLine, forwardedUrl, jumpLine, loadText, momentText, openPath,
  routeText, serviceTitle,
} from './text.js';

const HIGH = 0.9;
const ROW_PX = 4; // of the grid of cards
const GAP_PX = 20;

const isUp = (service) => service.state === 'up';
const hasLink = (view, service) => service.kind === 'http' && view.me.services_suffix !== undefined;
const lineOf = (view, machine, service) =>
  (service.kind === 'ssh' ? jumpLine(view.me, machine) : forwardLine(view.me, machine, service));

function setHref(link, href) {
  if (link.getAttribute('href') !== href) {
    link.setAttribute('href', href);
  }
}

function makeLink(className, text) {
  const link = make('a', className, text);
  link.target = '_blank';
  link.rel = 'noopener';
  return link;
}

// Notebooks

function createNotebook() {
  const node = make('li', 'notebook');
  const name = make('span', 'notebook-name');
  const detail = make('span', 'notebook-detail');
  node.append(name, ' ', detail);
  return { node, name, detail };
}

function updateNotebook(part, notebook) {
  const busy = notebook.state === 'busy';
  setText(part.name, notebook.name);
  setText(part.detail, [notebook.kernel, busy ? 'running' : 'idle'].filter(Boolean).join(', '));
  part.node.classList.toggle('busy', busy);
}

function updateNotebooks(part, service) {
  const seen = new Map();
  const items = (isUp(service) ? service.notebooks ?? [] : []).map((notebook) => {
    const nth = (seen.get(notebook.name) ?? 0) + 1;
    seen.set(notebook.name, nth);
    return { ...notebook, key: `${nth} ${notebook.name}` };
  });
  const more = Math.max(0, (service.notebook_count ?? 0) - items.length);
  follow(part.list, items, (item) => item.key, createNotebook, updateNotebook);
  setText(part.more, items.length ? `and ${more} more` : '');
  setHidden(part.more, items.length === 0 || more === 0);
  setHidden(part.list, items.length === 0);
}

// Services on a card

function createService(machine, service) {
  const node = make('li', 'service');
  const head = make('div', 'service-head');
  const words = make('div', 'service-words');
  const detail = make('p', 'service-detail');
  const open = makeLink('button open', 'Open');
  open.append(makeHidden(` ${service.name} on ${machine.name} in a new tab`));
  const { line, code } = makeLine(`the line for ${service.name} on ${machine.name}`);
  const then = make('p', 'service-then', 'Then open ');
  const url = makeLink('');
  const list = make('ul', 'notebooks');
  const more = make('p', 'service-detail');
  list.setAttribute('aria-label', `Running notebooks of ${service.name} on ${machine.name}`);
  then.append(url);
  words.append(make('h3', '', serviceTitle(service)), detail);
  head.append(words, open);
  node.append(head, list, more, line, then);
  return { node, detail, open, line, code, then, url, list, more };
}

function updateService(part, view, machine, service) {
  const up = isUp(service);
  const linked = hasLink(view, service);
  setText(part.detail, up ? service.detail ?? '' : 'not running');
  setHidden(part.detail, part.detail.textContent === '');
  setHidden(part.open, !up || !linked);
  setHref(part.open, openPath(machine, service));
  setHidden(part.line, !up || linked);
  setText(part.code, lineOf(view, machine, service));
  setHidden(part.then, !up || linked || service.kind !== 'http');
  setHref(part.url, forwardedUrl(service));
  setText(part.url, forwardedUrl(service));
  updateNotebooks(part, service);
}

// Services in a table row: a link each, or a button that copies the line

function createChip(machine, service) {
  const node = make('li');
  const open = makeLink('chip', serviceTitle(service));
  open.append(makeHidden(` on ${machine.name}, opens in a new tab`));
  const { line, code } = makeShortLine(serviceTitle(service), `the line for ${service.name} on ${machine.name}`);
  node.append(open, line);
  return { node, open, line, code };
}

function updateChip(part, view, machine, service) {
  const linked = hasLink(view, service);
  setHidden(part.open, !linked);
  setHref(part.open, openPath(machine, service));
  setHidden(part.line, linked);
  setText(part.code, lineOf(view, machine, service));
  part.line.title = part.code.textContent;
}

// Meters

function createMeter() {
  const node = make('div', 'meter');
  const head = make('div', 'meter-head');
  const name = make('span', 'meter-name');
  const value = make('span', 'meter-value');
  const bar = make('div', 'meter-bar');
  const fill = make('div', 'meter-fill');
  bar.setAttribute('role', 'meter');
  bar.setAttribute('aria-valuemin', '0');
  bar.setAttribute('aria-valuemax', '100');
  head.append(name, value);
  bar.append(fill);
  node.append(head, bar);
  return { node, name, value, bar, fill };
}

const shareOf = (meter) => (meter.total > 0 ? Math.min(1, meter.used / meter.total) : 0);

function updateMeter(part, meter) {
  const share = shareOf(meter);
  const percent = Math.round(share * 100);
  const warning = percent === 100 ? ', full' : share >= HIGH ? ', nearly full' : '';
  const text = `${bytesText(meter.used)} of ${bytesText(meter.total)}${warning}`;
  if (part.text === `${meter.name} ${text}`) {
    return;
  }
  part.text = `${meter.name} ${text}`;
  setText(part.name, meter.name);
  setText(part.value, text);
  part.value.classList.toggle('high', share >= HIGH);
  part.fill.classList.toggle('high', share >= HIGH);
  part.fill.style.width = `${percent}%`;
  part.bar.setAttribute('aria-label', meter.name);
  part.bar.setAttribute('aria-valuenow', String(percent));
  part.bar.setAttribute('aria-valuetext', text);
}

function memoryOf(status) {
  return status.memory_total_bytes > 0 && status.memory_used_bytes !== undefined
    ? [{ name: 'Memory', used: status.memory_used_bytes, total: status.memory_total_bytes }] : [];
}

function disksOf(status) {
  return (status.filesystems ?? []).filter((disk) => disk.total_bytes > 0 && disk.used_bytes !== undefined)
    .map((disk) => ({ name: `Disk ${disk.mount}`, used: disk.used_bytes, total: disk.total_bytes }));
}

// Cards

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

function stateText(machine) {
  return machine.online ? 'Online' : machine.since ? 'Offline' : 'Never connected';
}

function createCard(machine) {
  const node = make('li', 'card machine');
  const head = make('div', 'machine-head');
  const part = {
    node,
    state: make('span', 'state'),
    facts: make('dl', 'facts'),
    reach: createReach(),
    meters: make('div', 'meters'),
    services: make('ul', 'services'),
    note: make('p', 'quiet-note'),
  };
  head.append(make('h2', '', machine.name), part.state);
  node.append(head, part.facts, part.reach.node, part.meters, part.services, part.note);
  fit.observe(node);
  return part;
}

function updateCard(part, view, machine) {
  const services = machine.online ? machine.services ?? [] : [];
  const status = machine.online ? machine.status ?? {} : {};
  const facts = factsOf(machine);
  const meters = [...memoryOf(status), ...disksOf(status)];
  const note = noteText(machine);
  setText(part.state, stateText(machine));
  part.state.classList.toggle('online', machine.online);
  follow(part.facts, facts, (fact) => fact.name, createFact, (fact, item) =>
    setTicking(fact.value, item.write, view.now));
  updateReach(part.reach, machine, view.now);
  follow(part.meters, meters, (meter) => meter.name, createMeter, updateMeter);
  follow(part.services, services, (service) => service.name, (service) => createService(machine, service),
    (service, item) => updateService(service, view, machine, item));
  setHidden(part.facts, facts.length === 0);
  setHidden(part.meters, meters.length === 0);
  setHidden(part.services, services.length === 0);
  setText(part.note, note);
  setHidden(part.note, note === '');
}

// Table

function createRow(machine) {
  const node = make('tr');
  const name = make('th', '', machine.name);
  const part = { node, state: make('span', 'state'), services: make('ul', 'chips') };
  name.scope = 'row';
  node.append(name);
  for (const column of ['about', 'route', 'load', 'memory', 'disk', 'use']) {
    part[column] = make('td', `column-${column}`);
    node.append(part[column]);
  }
  part.seen = make('span', 'seen');
  part.about.append(part.state, ' ', part.seen);
  part.way = createRoute();
  part.route.append(part.way.node);
  part.use.append(part.services);
  return part;
}

function setShare(cell, meter) {
  setText(cell, meter ? `${Math.round(shareOf(meter) * 100)} %` : '');
  cell.classList.toggle('high', Boolean(meter) && shareOf(meter) >= HIGH);
}

function updateRow(part, view, machine) {
  const status = machine.online ? machine.status ?? {} : {};
  const services = machine.online ? (machine.services ?? []).filter(isUp) : [];
  const fullest = disksOf(status).sort((a, b) => shareOf(b) - shareOf(a))[0];
  const since = machine.since ? Date.parse(machine.since) : 0;
  setText(part.state, stateText(machine));
  part.state.classList.toggle('online', machine.online);
  setTicking(part.seen, (now) => (machine.online || !since ? '' : `seen ${agoText(now - since)}`), view.now);
  updateRoute(part.way, machine, view.now);
  setText(part.load, status.load_1m === undefined ? '' : loadText(status));
  setShare(part.memory, memoryOf(status)[0]);
  setShare(part.disk, fullest);
  follow(part.services, services, (service) => service.name, (service) => createChip(machine, service),
    (chip, item) => updateChip(chip, view, machine, item));
}

// Shows `machines`, in this order, within `parent`: a list of cards or the body of the table. `view` is
// { me, now }: who looks, and the relay's time.
export function showCards(parent, machines, view) {
  follow(parent, machines, (machine) => machine.name, createCard, (part, machine) => updateCard(part, view, machine));
}

export function showRows(parent, machines, view) {
  follow(parent, machines, (machine) => machine.name, createRow, (part, machine) => updateRow(part, view, machine));
}
