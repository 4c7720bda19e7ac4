// The lists on the page of a machine: programs, filesystems, disks, sensors, networks.
import { at, setHidden } from './dom.js';
import { personOf } from './gpus.js';
import { followTable, makeTable } from './table.js';
import {
  DASH, aboutText, amountText, celsiusText, durationText, rateText, roughText, shareText, sizeText,
} from './text.js';

const HIGH = 0.9;
const HOT_DISK_CELSIUS = 70;

const number = (name, text, high) => ({ name, text, high, kind: 'number' });
const words = (name, text, high) => ({ name, text, high, kind: 'words' });
const plain = (name, text, high) => ({ name, text, high });

const ratio = (used, total) => (total > 0 && used !== undefined ? used / total : undefined);

// Programs

function whoText(one) {
  const account = one.person && one.user && one.person !== one.user ? ` (${one.user})` : '';
  return `${personOf(one) || DASH}${account}${one.against_claim ? ', though it is claimed' : ''}`;
}

const whereText = (one) => [one.container, one.notebook].filter(Boolean).join(', ');

const processColumns = (now) => [
  words('Program', (one) => one.command ?? `program ${one.pid}`),
  plain('Who', whoText, (one) => one.against_claim),
  plain('GPU', (one) => (one.gpus ?? []).join(', ')),
  number('GPU memory', (one) => ((one.gpus ?? []).length ? sizeText(one.gpu_memory_used_bytes) : '')),
  number('CPU', (one) => shareText(one.cpu_used_share)),
  number('Memory', (one) => sizeText(one.memory_used_bytes)),
  plain('Running for', (one) => (one.started ? durationText(now() - Date.parse(one.started)) : DASH)),
  words('Container, notebook', whereText),
];

const onGpu = (one) => ((one.gpus ?? []).length ? 1 : 0);
const byWeight = (a, b) => onGpu(b) - onGpu(a) || (b.cpu_used_share ?? 0) - (a.cpu_used_share ?? 0);

// All else

function leftText(one) {
  const space = ratio(one.used_bytes, one.total_bytes);
  const inodes = ratio(one.inodes_used, one.inodes_total);
  if (space >= 0.995 || inodes >= 0.995) {
    return 'full';
  }
  return one.full_in_s === undefined || !aboutText(one.full_in_s) ? '' : `full in ${aboutText(one.full_in_s)}`;
}

const filesystemColumns = [
  words('Mounted at', (one) => one.mount),
  number('Used', (one) => shareText(ratio(one.used_bytes, one.total_bytes)),
    (one) => ratio(one.used_bytes, one.total_bytes) >= HIGH),
  number('Free', (one) => sizeText(one.available_bytes)),
  number('Size', (one) => sizeText(one.total_bytes)),
  number('Files', (one) => shareText(ratio(one.inodes_used, one.inodes_total)),
    (one) => ratio(one.inodes_used, one.inodes_total) >= HIGH),
  plain('Outlook', leftText, (one) => leftText(one) !== ''),
];

function healthText(one) {
  const faults = [[one.reallocated_count, 'sectors replaced'], [one.error_count, 'errors']].filter(([count]) => count > 0)
    .map(([count, what]) => `${count} ${what}`);
  return [one.health ?? DASH, ...faults].join(', ');
}

const diskColumns = [
  plain('Disk', (one) => one.name),
  words('Model', (one) => one.model ?? DASH),
  words('Health', healthText, (one) => one.health === 'failing' || one.reallocated_count > 0 || one.error_count > 0),
  number('Temperature', (one) => celsiusText(one.temperature_celsius), (one) => one.temperature_celsius >= HOT_DISK_CELSIUS),
  number('Worn', (one) => shareText(one.wear_share), (one) => one.wear_share >= HIGH),
  number('Was on', (one) => (one.powered_on_s === undefined ? DASH : roughText(one.powered_on_s * 1000))),
];

const sensorColumns = [
  words('Sensor', (one) => one.name),
  number('Says', (one) => (one.fan_rpm === undefined ? celsiusText(one.temperature_celsius)
    : amountText(one.fan_rpm, 'turns a minute'))),
];

const networkColumns = [
  plain('Network', (one) => one.name),
  number('Receives', (one) => rateText(one.received_bytes_per_second)),
  number('Sends', (one) => rateText(one.sent_bytes_per_second)),
];

// Makes the tables, and gives what shows a status in them. `now` gives the relay's time.
export function prepareLists(now) {
  const lists = [
    ['processes', 'Programs on GPUs, and the heaviest others', processColumns(now), 'pid'],
    ['filesystems', 'Filesystems', filesystemColumns, 'mount'],
    ['disks', 'Disks', diskColumns, 'name'],
    ['sensors', 'Sensors', sensorColumns, 'name'],
    ['networks', 'Networks', networkColumns, 'name'],
  ].map(([id, caption, columns, key]) => {
    const table = makeTable(caption, columns);
    at(id).append(table.node);
    return { id, table, key };
  });
  return (status) => {
    for (const { id, table, key } of lists) {
      const all = (status[id] ?? []).filter((one) => !one.ended);
      const items = id === 'processes' ? all.sort(byWeight) : all;
      setHidden(at(id), items.length === 0);
      followTable(table, items, (one) => one[key]);
    }
  };
}
