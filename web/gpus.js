// What is said of GPUs: how they are, and whose. For cards, rows and the page of a machine.
import { follow, make, setHidden, setText } from './dom.js';
import { createMeter, shareMeter, sizeMeter, updateMeter } from './meter.js';
import { DASH, celsiusText, shareText, untilText, wattsText } from './text.js';

// As docs/PROTOCOL.md section 8 says of `list --free`: used by less; a screen's program holds less.
const IDLE = 0.05;
const SCREEN_BYTES = 256 * 1024 * 1024;
const HOT_CELSIUS = 85;
const STATES = { asleep: 'asleep', lost: 'lost: it fell off its bus', hanging: 'its driver does not answer' };
const THROTTLES = { power: 'at its power limit', thermal: 'slowed by heat', hardware: 'slowed by its hardware',
  brake: 'slowed by its power supply' };

// The Sallyport user, where the machine's configuration says who that is; else the account.
export const personOf = (process) => process.person ?? process.user ?? '';

const unique = (list) => [...new Set(list)];

// One entry a GPU: what the machine says of it, its programs, their users, and who has claimed it.
export function gpusOf(machine) {
  const status = machine.online ? machine.status ?? {} : {};
  return (status.gpus ?? []).map((gpu) => {
    const processes = (status.processes ?? []).filter((one) => !one.ended && (one.gpus ?? []).includes(gpu.index)
      && !(one.gpu_memory_used_bytes < SCREEN_BYTES));
    const claim = (machine.claims ?? []).find((one) => one.gpu === gpu.index);
    const ok = (gpu.state ?? 'ok') === 'ok';
    return {
      gpu, processes, claim,
      users: unique(processes.map(personOf)).filter(Boolean),
      free: ok && !claim && processes.length === 0 && gpu.used_share !== undefined && gpu.used_share < IDLE,
    };
  });
}

export function shortName(gpu) {
  return (gpu.name ?? '').replace(/^(NVIDIA|AMD|Intel\(R\)|Intel)\s+/i, '').replace(/^GeForce\s+/i, '');
}

export const isWell = (gpu) => !['lost', 'hanging'].includes(gpu.state);

// In a few words: whose is it?
export function useText({ gpu, processes, users, claim, free }) {
  if (STATES[gpu.state]) {
    return STATES[gpu.state];
  }
  if (processes.length) {
    return users.length ? `in use by ${users.join(', ')}` : 'in use';
  }
  if (claim) {
    return `claimed by ${claim.user}`;
  }
  return free ? 'free' : gpu.used_share >= IDLE ? 'in use' : DASH;
}

export function claimText(claim, now) {
  const note = claim.note ? `: ${claim.note}` : '';
  return `${claim.user} until ${untilText(new Date(claim.until), now)}${note}`;
}

export function againstText({ processes, claim }) {
  const users = unique(processes.filter((one) => one.against_claim).map(personOf)).filter(Boolean);
  return claim && users.length ? `${users.join(', ')} ${users.length > 1 ? 'use' : 'uses'} it, too` : '';
}

export function throttleText(gpu) {
  const words = (gpu.throttle ?? '').split(/\s+/).filter(Boolean);
  return words.map((word) => THROTTLES[word] ?? `slowed: ${word}`).join(', ');
}

// A GPU at its power limit does what it was made for; the others are worth a look.
export const isSlowed = (gpu) => /thermal|hardware|brake/.test(gpu.throttle ?? '');

export const isHot = (gpu) => gpu.temperature_celsius >= HOT_CELSIUS;

function powerText(gpu) {
  const limit = gpu.power_limit_watts === undefined ? '' : ` of ${wattsText(gpu.power_limit_watts)}`;
  return gpu.power_watts === undefined ? '' : `${wattsText(gpu.power_watts)}${limit}`;
}

const detailText = (gpu) =>
  [`${celsiusText(gpu.temperature_celsius)}${isHot(gpu) ? ', hot' : ''}`, powerText(gpu), throttleText(gpu)]
    .filter(Boolean).join(' · ');

export function gpuMeters(gpu) {
  return [shareMeter('Used', gpu.used_share),
    sizeMeter(gpu.memory_shared ? 'Memory, the machine’s' : 'Memory', gpu.memory_used_bytes, gpu.memory_total_bytes)];
}

// The head of a GPU's block: which one, and whose.

export function createGpuHead(tag) {
  const node = make('div', 'gpu-head');
  const words = make('div', 'gpu-words');
  const title = make(tag, 'gpu-title');
  const name = make('span', 'gpu-name');
  const use = make('span', 'gpu-use');
  words.append(title, ' ', name);
  node.append(words, use);
  return { node, title, name, use };
}

export function updateGpuHead(part, item, name) {
  setText(part.title, `GPU ${item.gpu.index}`);
  setText(part.name, name);
  setText(part.use, useText(item));
  part.use.classList.toggle('free', item.free);
  part.use.classList.toggle('bad', !isWell(item.gpu));
}

// On a card

function createGpu() {
  const part = {
    node: make('li', 'gpu'),
    head: createGpuHead('h3'),
    meters: make('div', 'meters'),
    detail: make('p', 'gpu-detail'),
    claim: make('p', 'gpu-claim'),
  };
  part.who = make('bdi');
  part.against = make('span', 'high');
  part.claim.append(part.who, part.against);
  part.node.append(part.head.node, part.meters, part.detail, part.claim);
  return part;
}

function updateGpu(part, item, now) {
  const { gpu, claim } = item;
  const well = isWell(gpu) && gpu.state !== 'asleep';
  const against = againstText(item);
  updateGpuHead(part.head, item, shortName(gpu));
  follow(part.meters, well ? gpuMeters(gpu) : [], (meter) => meter.name, createMeter, updateMeter);
  setText(part.detail, well ? detailText(gpu) : '');
  part.detail.classList.toggle('high', isHot(gpu) || isSlowed(gpu));
  setHidden(part.meters, !well);
  setHidden(part.detail, !well);
  setText(part.who, claim ? claimText(claim, now) : '');
  setText(part.against, against && ` · ${against}`);
  setHidden(part.claim, !claim);
}

export function followGpus(list, machine, now) {
  const gpus = gpusOf(machine);
  follow(list, gpus, (item) => item.gpu.index, createGpu, (part, item) => updateGpu(part, item, now));
  setHidden(list, gpus.length === 0);
}

// In a row: a line each

function createGpuLine() {
  const node = make('li', 'gpu-line');
  const name = make('span', 'gpu-title');
  const used = make('span');
  const use = make('span', 'gpu-use');
  node.append(name, ' ', used, ' ', use);
  return { node, name, used, use };
}

function updateGpuLine(part, item) {
  const { gpu, users, claim, processes } = item;
  const whose = users.join(', ') || (claim && processes.length === 0 ? `for ${claim.user}` : useText(item));
  setText(part.name, String(gpu.index));
  part.node.title = `GPU ${gpu.index} ${gpu.name ?? ''}`.trim();
  setText(part.used, isWell(gpu) ? `${shareText(gpu.used_share)}, ${celsiusText(gpu.temperature_celsius)}` : '');
  part.used.classList.toggle('high', isHot(gpu));
  setText(part.use, isWell(gpu) ? whose : useText(item));
  part.use.classList.toggle('free', item.free);
  part.use.classList.toggle('bad', !isWell(gpu));
}

export function followGpuLines(list, machine) {
  follow(list, gpusOf(machine), (item) => item.gpu.index, createGpuLine, updateGpuLine);
}
