// The page of one machine: everything that is known of it.
import { ask } from './api.js';
import { followAlerts, updateState, wakeOf } from './condition.js';
import { at, follow, make, setHidden, setText, setTicking } from './dom.js';
import { followGpuBlocks } from './gpu_blocks.js';
import { gpusOf } from './gpus.js';
import { prepareHistory } from './history.js';
import { prepareLists } from './lists.js';
import { createMeter, disksOf, memoryOf, shareMeter, sizeMeter, updateMeter } from './meter.js';
import { preparePay } from './pay.js';
import { createReach, updateReach } from './reach.js';
import { followServices } from './services.js';
import { drawSoon, now, startPage, state } from './shell.js';
import {
  agoText, celsiusText, clockText, durationText, loadText, momentText, rateText, routeText, shareText, wattsText,
} from './text.js';

const BETWEEN_MS = 1000; // the relay is asked for all of it at most so often
const AGAIN_MS = 5000;
const PAY_MS = 60000;

const name = location.pathname.split('/')[2] ?? ''; // names have nothing that needs to be decoded
const reach = createReach();
let known = null; // the machine in short, as the events say it
let machine = null; // all of it
let showLists = null;
let begun = false;
let timer = 0;
let asking = false;

// Events say what all see at a glance; the rest is asked for when there is news.

async function load() {
  timer = 0;
  asking = true;
  try {
    machine = await ask(`/api/v1/machines/${encodeURIComponent(name)}`);
    drawSoon();
    asking = false;
  } catch {
    // The events say what is wrong with the relay; what is shown stays.
    asking = false;
    loadSoon(AGAIN_MS);
  }
}

function loadSoon(wait) {
  if (asking) {
    setTimeout(() => loadSoon(wait), BETWEEN_MS);
  } else if (known) {
    timer ||= setTimeout(load, wait);
  }
}

function changed(machines) {
  const told = machines.get(name) ?? null;
  const news = told && told !== known;
  known = told;
  if (news) {
    loadSoon(machine ? BETWEEN_MS : 0);
  }
}

// What is said of the machine as a whole

const pressureText = (status, what) => {
  const share = status[`${what}_pressure_share`];
  return share === undefined ? '' : shareText(share);
};

function factsOf(status) {
  const texts = {
    Load: status.load_1m === undefined ? '' : loadText(status),
    'CPU temperature': status.cpu_temperature_celsius === undefined ? '' : celsiusText(status.cpu_temperature_celsius),
    Power: status.power_watts === undefined ? '' : wattsText(status.power_watts),
    Receives: status.received_bytes_per_second === undefined ? '' : rateText(status.received_bytes_per_second),
    Sends: status.sent_bytes_per_second === undefined ? '' : rateText(status.sent_bytes_per_second),
    'Waiting for CPU': pressureText(status, 'cpu'),
    'Waiting for memory': pressureText(status, 'memory'),
    'Waiting for disks': pressureText(status, 'io'),
    Route: machine.online && machine.route ? routeText(machine.route) : '',
    Clock: machine.online ? clockText(machine.clock_offset_s) : '',
    Agent: machine.online ? machine.version ?? '' : '',
  };
  return Object.entries(texts).filter(([, text]) => text).map(([title, text]) => ({ title, text }));
}

function createFact(fact) {
  const node = make('div');
  const value = make('dd');
  node.append(make('dt', '', fact.title), value);
  return { node, value };
}

function metersOf(status) {
  const swap = status.swap_total_bytes > 0 ? [sizeMeter('Swap', status.swap_used_bytes, status.swap_total_bytes)] : [];
  const cpu = status.cpu_used_share === undefined ? [] : [shareMeter('CPU', status.cpu_used_share)];
  return [...cpu, ...memoryOf(status), ...swap, ...disksOf(status)];
}

function summaryText(status, then) {
  const since = machine.since ? Date.parse(machine.since) : 0;
  if (!machine.online) {
    return since ? `last seen ${agoText(then - since)} (${momentText(new Date(since))})` : '';
  }
  return [status.uptime_s === undefined ? '' : `up for ${durationText(status.uptime_s * 1000)}`,
    since ? `connected for ${durationText(then - since)}` : ''].filter(Boolean).join(' · ');
}

function drawMachine(status, view) {
  follow(at('facts'), factsOf(status), (fact) => fact.title, createFact, (part, fact) => setText(part.value, fact.text));
  follow(at('meters'), metersOf(status), (meter) => meter.name, createMeter, updateMeter);
  updateReach(reach, machine, view.now);
  setHidden(at('machine-title').parentNode, !machine.online);
}

function drawServices(view) {
  const none = (machine.services ?? []).length === 0;
  followServices(at('services'), machine, view);
  setText(at('services-none'), machine.online ? 'It offers no service that you may use.' : 'They appear when the machine is here.');
  setHidden(at('services-none'), machine.online && !none);
}

// What is asked for once the machine is known to be there.
function begin() {
  begun = true;
  prepareHistory(name, now);
  const askPay = preparePay(name, state.me);
  setInterval(() => { if (!document.hidden) { askPay(); } }, PAY_MS);
}

function draw() {
  const gone = state.machines !== null && !state.machines.has(name);
  setHidden(at('gone'), !gone);
  setHidden(at('content'), gone || !machine);
  if (gone || !machine) {
    return;
  }
  const view = { me: state.me, now: now(), all: true };
  const status = machine.online ? machine.status ?? {} : {};
  updateState({ node: at('state') }, machine);
  setTicking(at('summary'), (then) => summaryText(status, then), view.now);
  setHidden(at('wake'), machine.online || !machine.since);
  followAlerts(at('alerts'), machine, view.now);
  followGpuBlocks(at('gpus'), machine, view, () => loadSoon(0));
  setHidden(at('gpu-section'), gpusOf(machine).length === 0);
  showLists(status);
  drawMachine(status, view);
  drawServices(view);
  if (!begun) {
    begin();
  }
}

setText(at('name'), name);
document.title = `${name} · Sallyport`;

startPage({
  draw,
  changed,
  prepare: () => {
    showLists = prepareLists(now);
    at('reach').append(reach.node);
    at('wake').append(wakeOf({ name }).node);
  },
});
