// The GPUs on the page of a machine: everything that is known of each, and who has claimed it.
import { createClaim, updateClaim } from './claims.js';
import { follow, make, setHidden, setText } from './dom.js';
import {
  againstText, createGpuHead, gpuMeters, gpusOf, isHot, isSlowed, isWell, throttleText, updateGpuHead,
} from './gpus.js';
import { createMeter, updateMeter } from './meter.js';
import { DASH, amountText, celsiusText, shareText, wattsText } from './text.js';

const LOADED = 0.3; // an idle GPU takes its bus back to save power
const JOULES_PER_KWH = 3600000;

const ofText = (text, of) => (of === undefined ? text : `${text} of ${of}`);
const hertzText = (hertz) => amountText(hertz === undefined ? hertz : hertz / 1e6, 'MHz');

// The slot is judged by its width, its generation only under load.
function busText(gpu) {
  const { pcie_width: width, pcie_width_max: widest, pcie_generation: generation, pcie_generation_max: newest } = gpu;
  if (width === undefined && generation === undefined) {
    return '';
  }
  const lanes = width === undefined ? '' : `${ofText(width, width < widest ? widest : undefined)} lanes`;
  const slow = generation < newest && gpu.used_share >= LOADED;
  const speed = generation === undefined ? '' : `generation ${ofText(generation, slow ? newest : undefined)}`;
  return [lanes, speed].filter(Boolean).join(', ');
}

const isBusPoor = (gpu) => gpu.pcie_width < gpu.pcie_width_max
  || (gpu.pcie_generation < gpu.pcie_generation_max && gpu.used_share >= LOADED);

function eccText(gpu) {
  const parts = [[gpu.ecc_corrected_count, 'corrected'], [gpu.ecc_uncorrected_count, 'not corrected']]
    .filter(([count]) => count !== undefined).map(([count, what]) => `${count} ${what}`);
  return parts.join(', ');
}

const xidText = (gpu) => (gpu.xid_count === undefined ? ''
  : `${gpu.xid_count}${gpu.xid_last === undefined ? '' : `, the last ${gpu.xid_last}`}`);
const linkText = (gpu) => (gpu.nvlink_count === undefined ? ''
  : `${gpu.nvlink_active_count ?? DASH} of ${gpu.nvlink_count} active`);

// Those that are missing show a dash; the others are left out where a GPU has no such thing.
const FACTS = [
  ['Temperature', (gpu) => celsiusText(gpu.temperature_celsius), isHot],
  ['Fan', (gpu) => shareText(gpu.fan_share)],
  ['Power', (gpu) => ofText(wattsText(gpu.power_watts), gpu.power_limit_watts && wattsText(gpu.power_limit_watts))],
  ['Speed', (gpu) => throttleText(gpu), isSlowed],
  ['Clock', (gpu) => ofText(hertzText(gpu.clock_hz), gpu.clock_max_hz && hertzText(gpu.clock_max_hz))],
  ['Memory clock', (gpu) => (gpu.memory_clock_hz === undefined ? '' : hertzText(gpu.memory_clock_hz))],
  ['PCIe', busText, isBusPoor],
  ['NVLink', linkText, (gpu) => gpu.nvlink_active_count < gpu.nvlink_count],
  ['Memory errors', eccText, (gpu) => gpu.ecc_uncorrected_count > 0],
  ['Xid errors', xidText, (gpu) => gpu.xid_count > 0],
  ['Energy', (gpu) => (gpu.energy_joules === undefined ? '' : amountText(gpu.energy_joules / JOULES_PER_KWH, 'kWh', 1))],
  ['Driver', (gpu) => gpu.driver ?? ''],
].map(([name, text, high]) => ({ name, text, high }));

function createFact(fact) {
  const node = make('div');
  const value = make('dd');
  node.append(make('dt', '', fact.name), value);
  return { node, value };
}

function updateFact(part, fact, gpu) {
  setText(part.value, fact.text(gpu));
  part.value.classList.toggle('high', Boolean(fact.high?.(gpu)));
}

function remarkText(item) {
  const { gpu } = item;
  const lanes = gpu.pcie_width < gpu.pcie_width_max
    ? `It has ${gpu.pcie_width} of ${gpu.pcie_width_max} lanes: perhaps its slot, or its seat in it.` : '';
  const slow = isSlowed(gpu) ? `It is ${throttleText(gpu)}.` : '';
  const shared = gpu.partitioned ? 'It is shared out in parts (MIG).' : '';
  const against = againstText(item) && `${againstText(item)}.`;
  return [against, slow, lanes, shared].filter(Boolean).join(' ');
}

function createBlock(machine, item, done) {
  const part = {
    node: make('li', 'card gpu-block'),
    head: createGpuHead('h3'),
    meters: make('div', 'meters'),
    remark: make('p', 'gpu-remark'),
    facts: make('dl', 'facts'),
    claim: createClaim(machine, item.gpu.index, done),
  };
  part.node.append(part.head.node, part.meters, part.remark, part.facts, part.claim.node);
  return part;
}

function updateBlock(part, item, view) {
  const { gpu } = item;
  const awake = isWell(gpu) && gpu.state !== 'asleep';
  const remark = remarkText(item);
  updateGpuHead(part.head, item, gpu.name ?? '');
  follow(part.meters, awake ? gpuMeters(gpu) : [], (meter) => meter.name, createMeter, updateMeter);
  setHidden(part.meters, !awake);
  setText(part.remark, remark);
  setHidden(part.remark, remark === '');
  follow(part.facts, FACTS.filter((fact) => fact.text(gpu) !== ''), (fact) => fact.name, createFact, (shown, fact) =>
    updateFact(shown, fact, gpu));
  updateClaim(part.claim, item, view);
}

// `done` is called when a claim has changed.
export function followGpuBlocks(list, machine, view, done) {
  follow(list, gpusOf(machine), (item) => item.gpu.index, (item) => createBlock(machine, item, done), (part, item) =>
    updateBlock(part, item, view));
}
