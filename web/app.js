// The page of machines: asks the relay every few seconds and changes only what has changed, so that nobody loses the
// focus or a selection. What comes from machines is only ever set as text.
import { makeLine } from '/assets/copy.js';

const EVERY_MS = 3000;
const PATIENCE_MS = 8000;
const HIGH = 0.9;
const ROUTES = { lan: 'same network', direct: 'direct', punched: 'direct', relayed: 'via the relay' };

const at = (id) => document.getElementById(id);

function make(tag, className, text) {
  const node = document.createElement(tag);
  if (className) {
    node.className = className;
  }
  if (text !== undefined) {
    node.textContent = text;
  }
  return node;
}

function setText(node, text) {
  if (node.textContent !== text) {
    node.textContent = text;
  }
}

// Makes the children of `parent` follow `items`: parts that stay are updated where they are.
function follow(parent, items, keyOf, create, update) {
  const parts = parent.parts ??= new Map();
  const wanted = new Set(items.map(keyOf));
  for (const [key, part] of parts) {
    if (!wanted.has(key)) {
      part.node.remove();
      parts.delete(key);
    }
  }
  let next = parent.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    if (!parts.has(key)) {
      parts.set(key, create(item));
    }
    const part = parts.get(key);
    update(part, item);
    // The one that moves is the one that is out of place, not those behind it: moving costs the focus.
    while (next && next !== part.node && next.nextElementSibling === part.node) {
      parent.append(next);
      next = part.node;
    }
    if (part.node === next) {
      next = next.nextElementSibling;
    } else {
      parent.insertBefore(part.node, next);
    }
  }
}

function bytesText(bytes) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  let unit = 0;
  let amount = bytes;
  while (amount >= 1023.95 && unit < units.length - 1) {
    amount /= 1024;
    unit += 1;
  }
  return `${unit === 0 || amount >= 100 ? Math.round(amount) : amount.toFixed(1)} ${units[unit]}`;
}

function durationText(seconds) {
  const s = Math.max(0, Math.floor(seconds));
  if (s < 60) {
    return `${s} s`;
  }
  if (s < 3600) {
    return `${Math.floor(s / 60)} min`;
  }
  if (s < 86400) {
    return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  }
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

function momentText(date) {
  const today = date.toDateString() === new Date().toDateString();
  return date.toLocaleString(undefined, today ? { timeStyle: 'short' } : { dateStyle: 'medium', timeStyle: 'short' });
}

// Lines to paste

const sshPort = (me) => (me.relay_port === 22 ? '' : ` -p ${me.relay_port}`);

function jumpLine(me, machine) {
  const host = me.relay_host.includes(':') ? `[${me.relay_host}]` : me.relay_host;
  const port = me.relay_port === 22 ? '' : `:${me.relay_port}`;
  return `ssh -J ${me.name}@${host}${port} ${machine.name}`;
}

// Ports below 1024 are not for ordinary users to listen on.
const localPort = (service) => (service.port < 1024 ? service.port + 8000 : service.port);

function forwardLine(me, machine, service) {
  return `ssh -N -L ${localPort(service)}:${machine.name}:${service.port}${sshPort(me)} ${me.name}@${me.relay_host}`;
}

const inviteLine = (me) => `ssh${sshPort(me)} ${me.name}@${me.relay_host} invite machine box1`;

// Services

function serviceTitle(service) {
  const known = { ssh: 'SSH', jupyter: 'Jupyter' };
  return known[service.name] ?? service.name;
}

function createService(machine, service) {
  const node = make('li', 'service');
  const head = make('div', 'service-head');
  const title = make('h3', '', serviceTitle(service));
  const detail = make('span', 'service-detail');
  const { line, code } = makeLine(`the line for ${service.name} on ${machine.name}`);
  const then = make('p', 'service-then', 'Then open ');
  const link = make('a');
  link.target = '_blank';
  link.rel = 'noreferrer';
  then.append(link);
  head.append(title, detail);
  node.append(head, line, then);
  return { node, detail, line, code, then, link };
}

function updateService(part, me, machine, service) {
  const up = service.state === 'up';
  setText(part.detail, up ? service.detail ?? '' : 'not running');
  part.line.hidden = !up;
  part.then.hidden = !up || service.kind !== 'http';
  setText(part.code, service.kind === 'ssh' ? jumpLine(me, machine) : forwardLine(me, machine, service));
  // Only the path is the machine's to say, and only within its own address.
  const url = new URL(`http://localhost:${localPort(service)}/`);
  url.pathname = service.path ?? '/';
  if (part.link.href !== url.href) {
    part.link.href = url.href;
  }
  setText(part.link, url.href);
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

function updateMeter(part, meter) {
  const share = meter.total > 0 ? Math.min(1, meter.used / meter.total) : 0;
  const percent = Math.round(share * 100);
  const warning = percent === 100 ? ', full' : share >= HIGH ? ', nearly full' : '';
  const text = `${bytesText(meter.used)} of ${bytesText(meter.total)}${warning}`;
  setText(part.name, meter.name);
  setText(part.value, text);
  part.value.classList.toggle('high', share >= HIGH);
  part.fill.classList.toggle('high', share >= HIGH);
  part.fill.style.width = `${percent}%`;
  part.bar.setAttribute('aria-label', meter.name);
  part.bar.setAttribute('aria-valuenow', String(percent));
  part.bar.setAttribute('aria-valuetext', text);
}

function metersOf(status) {
  const meters = [];
  if (status.memory_total_bytes > 0 && status.memory_used_bytes !== undefined) {
    meters.push({ name: 'Memory', used: status.memory_used_bytes, total: status.memory_total_bytes });
  }
  for (const disk of status.filesystems ?? []) {
    if (disk.total_bytes > 0 && disk.used_bytes !== undefined) {
      meters.push({ name: `Disk ${disk.mount}`, used: disk.used_bytes, total: disk.total_bytes });
    }
  }
  return meters;
}

// Machines

function factsOf(machine, now) {
  const status = machine.status ?? {};
  const facts = [];
  if (machine.route) {
    facts.push({ name: 'Route', value: ROUTES[machine.route] ?? machine.route });
  }
  if (status.uptime_s !== undefined) {
    facts.push({ name: 'Uptime', value: durationText(status.uptime_s) });
  }
  if (status.load_1m !== undefined) {
    const cpus = status.cpu_count ? ` on ${status.cpu_count} ${status.cpu_count === 1 ? 'CPU' : 'CPUs'}` : '';
    facts.push({ name: 'Load', value: `${status.load_1m.toFixed(2)}${cpus}` });
  }
  if (machine.since) {
    facts.push({ name: 'Connected for', value: durationText((now - Date.parse(machine.since)) / 1000) });
  }
  return facts;
}

function createFact(fact) {
  const node = make('div');
  const value = make('dd');
  node.append(make('dt', '', fact.name), value);
  return { node, value };
}

function createMachine(machine) {
  const node = make('li', 'card machine');
  const head = make('div', 'machine-head');
  const part = {
    node,
    state: make('span', 'state'),
    facts: make('dl', 'facts'),
    meters: make('div', 'meters'),
    services: make('ul', 'services'),
    note: make('p', 'quiet-note'),
  };
  head.append(make('h2', '', machine.name), part.state);
  node.append(head, part.facts, part.meters, part.services, part.note);
  return part;
}

function stateText(machine, now) {
  if (machine.online) {
    return 'Online';
  }
  if (!machine.since) {
    return 'Never connected';
  }
  const since = new Date(machine.since);
  return `Offline since ${momentText(since)} (${durationText((now - since) / 1000)})`;
}

function noteText(machine) {
  if (!machine.online) {
    return machine.since ? 'It appears here by itself as soon as it reaches the relay again.'
      : 'It appears here as soon as its agent runs and reaches the relay.';
  }
  return (machine.services ?? []).length ? '' : 'It offers no service that you may use.';
}

function updateMachine(part, me, machine, now) {
  const services = machine.online ? machine.services ?? [] : [];
  const facts = machine.online ? factsOf(machine, now) : [];
  const meters = machine.online ? metersOf(machine.status ?? {}) : [];
  const note = noteText(machine);
  setText(part.state, stateText(machine, now));
  part.state.classList.toggle('online', machine.online);
  follow(part.facts, facts, (fact) => fact.name, createFact, (fact, item) => setText(fact.value, item.value));
  follow(part.meters, meters, (meter) => meter.name, createMeter, updateMeter);
  follow(part.services, services, (service) => service.name, (service) => createService(machine, service),
    (service, item) => updateService(service, me, machine, item));
  part.facts.hidden = facts.length === 0;
  part.meters.hidden = meters.length === 0;
  part.services.hidden = services.length === 0;
  setText(part.note, note);
  part.note.hidden = note === '';
}

function showMachines(me, machines, now) {
  const online = machines.filter((machine) => machine.online).length;
  const admin = me.role === 'admin';
  const sorted = [...machines].sort((a, b) => b.online - a.online);
  follow(at('machines'), sorted, (machine) => machine.name, createMachine,
    (part, machine) => updateMachine(part, me, machine, now));
  setText(at('summary'), machines.length ? `${online} of ${machines.length} online` : '');
  at('empty').hidden = machines.length > 0;
  at('empty-admin').hidden = !admin;
  at('empty-member').hidden = admin;
  at('more').hidden = !admin || machines.length === 0;
  at('hint').hidden = online === 0;
}

// Asking the relay

async function ask(path) {
  const response = await fetch(path, { cache: 'no-store', signal: AbortSignal.timeout(PATIENCE_MS) });
  if (response.status === 401) {
    location.replace('/');
    throw new Error('it wants you to log in again');
  }
  if (!response.ok) {
    throw new Error(`it answered with error ${response.status}`);
  }
  // The relay's clock counts, not this computer's.
  return { data: await response.json(), now: Date.parse(response.headers.get('Date')) || Date.now() };
}

function showTrouble(error, since) {
  const reason = error instanceof TypeError || error.name === 'TimeoutError' ? 'it does not answer' : error.message;
  const when = since ? ` What you see is from ${since.toLocaleTimeString()}.` : '';
  setText(at('trouble'), `The relay cannot be asked: ${reason}.${when} Trying again every few seconds.`);
  at('trouble').hidden = false;
  at('machines').classList.add('stale');
}

function hideTrouble() {
  at('trouble').hidden = true;
  setText(at('trouble'), '');
  at('machines').classList.remove('stale');
}

function showPerson(me) {
  setText(at('user'), me.name);
  for (const id of ['empty-line', 'more-line']) {
    const { line, code } = makeLine('the line that invites a machine');
    code.textContent = inviteLine(me);
    at(id).replaceChildren(line);
  }
}

function start() {
  let me = null;
  let heard = null;
  let timer = 0;
  let asking = false;

  async function refresh() {
    clearTimeout(timer);
    if (asking || document.hidden) {
      return;
    }
    asking = true;
    try {
      if (!me) {
        me = (await ask('/api/v1/me')).data;
        showPerson(me);
      }
      const { data, now } = await ask('/api/v1/machines');
      showMachines(me, data, now);
      heard = new Date();
      hideTrouble();
    } catch (error) {
      showTrouble(error, heard);
    }
    asking = false;
    timer = setTimeout(refresh, EVERY_MS);
  }

  document.addEventListener('visibilitychange', refresh);
  window.addEventListener('online', refresh);
  at('logout').addEventListener('click', async () => {
    try {
      await fetch('/api/v1/logout', { method: 'POST', signal: AbortSignal.timeout(PATIENCE_MS) });
      location.replace('/');
    } catch (error) {
      showTrouble(error, heard);
    }
  });
  refresh();
}

start();
