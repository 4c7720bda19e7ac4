// The made-up machines of mock.mjs: a workstation with two GPUs, a small box, one that sleeps, one that has gone.
const GB = 1e9;
const HOUR = 3600e3;

export const me = () => ({ name: 'ada', role: 'admin', relay_host: 'relay.example', relay_port: 443,
  services_suffix: '.relay.example', csrf_token: 'f'.repeat(64) });

const stamp = (ms) => new Date(ms).toISOString().replace(/\.\d+/, '');

const gpus = [
  { id: 'GPU-8a1f', index: 0, name: 'NVIDIA GeForce RTX 4090', driver: '550.54.14', state: 'ok', used_share: 0.97,
    memory_total_bytes: 25.76 * GB, memory_used_bytes: 19.4 * GB, temperature_celsius: 71, fan_share: 0.55,
    power_watts: 402, power_limit_watts: 450, clock_hz: 2.52e9, clock_max_hz: 3.105e9, memory_clock_hz: 10.501e9,
    throttle: 'power', pcie_width: 16, pcie_width_max: 16, pcie_generation: 4, pcie_generation_max: 4, xid_count: 0,
    energy_joules: 1.9e9 },
  { id: 'GPU-77c2', index: 1, name: 'NVIDIA GeForce RTX 3090', driver: '550.54.14', state: 'ok', used_share: 0,
    memory_total_bytes: 25.76 * GB, memory_used_bytes: 0.3 * GB, temperature_celsius: 38, fan_share: 0.3,
    power_watts: 23, power_limit_watts: 350, clock_hz: 2.1e8, clock_max_hz: 2.1e9, memory_clock_hz: 4.05e8,
    pcie_width: 8, pcie_width_max: 16, pcie_generation: 1, pcie_generation_max: 4, ecc_corrected_count: 0,
    ecc_uncorrected_count: 0 },
];

const processes = (now) => [
  { pid: 4711, gpus: [0], user: 'ann', person: 'ann', command: 'python train.py --config configs/speech-large.yaml',
    gpu_memory_used_bytes: 19 * GB, memory_used_bytes: 8 * GB, cpu_used_share: 0.06, started: stamp(now - 75 * HOUR),
    container: 'trainer', notebook: 'work/speech.ipynb' },
  { pid: 90, gpus: [], user: 'bob', command: 'ffmpeg -i talk.mkv talk.mp4', memory_used_bytes: 0.9 * GB,
    cpu_used_share: 0.24, started: stamp(now - 0.3 * HOUR) },
  { pid: 1201, gpus: [], user: 'root', command: '/usr/sbin/smbd --foreground', memory_used_bytes: 0.2 * GB,
    cpu_used_share: 0.01 },
];

const status = (now) => ({
  uptime_s: 446400, load_1m: 11.24, cpu_count: 16, cpu_used_share: 0.31, cpu_temperature_celsius: 61,
  cpu_pressure_share: 0.02, memory_pressure_share: 0, io_pressure_share: 0.08, memory_total_bytes: 67.1 * GB,
  memory_used_bytes: 41 * GB, swap_total_bytes: 8.6 * GB, swap_used_bytes: 0.2 * GB, power_watts: 612,
  received_bytes_per_second: 1.2e6, sent_bytes_per_second: 9.1e4,
  filesystems: [
    { mount: '/', type: 'ext4', total_bytes: 480 * GB, used_bytes: 201 * GB, available_bytes: 255 * GB,
      inodes_total: 3e7, inodes_used: 1.1e6 },
    { mount: '/data', type: 'ext4', total_bytes: 4000 * GB, used_bytes: 3740 * GB, available_bytes: 60 * GB,
      inodes_total: 2.4e8, inodes_used: 8.8e6, full_in_s: 3 * 86400 },
  ],
  disks: [
    { name: 'nvme0n1', model: 'Samsung SSD 990 PRO 2TB', health: 'passed', temperature_celsius: 44, wear_share: 0.03,
      powered_on_s: 3.6e7, error_count: 0 },
    { name: 'sda', model: 'WDC WD40EFRX', health: 'failing', temperature_celsius: 39, powered_on_s: 1.2e8,
      reallocated_count: 24, error_count: 2 },
  ],
  sensors: [{ name: 'k10temp Tctl', temperature_celsius: 61 }, { name: 'nct6775 fan2', fan_rpm: 1200 }],
  networks: [{ name: 'enp5s0', received_bytes_per_second: 1.2e6, sent_bytes_per_second: 9.1e4 }],
  gpus: structuredClone(gpus), processes: processes(now),
});

const services = () => [
  { name: 'ssh', kind: 'ssh', port: 22, state: 'up' },
  { name: 'jupyter', kind: 'http', port: 8888, state: 'up', path: '/', detail: 'jupyter-server 2.14.2, /home/ann',
    notebook_count: 2, notebooks: [{ name: 'speech.ipynb', kernel: 'python3', state: 'busy' },
      { name: 'plots.ipynb', kernel: 'python3', state: 'idle' }] },
  { name: 'tensorboard', kind: 'http', port: 6006, state: 'found', detail: 'TensorBoard 2.17', changeable: true },
];

export const machines = (now) => [
  { name: 'attic', online: false, since: stamp(now - 9 * HOUR), asleep: true, services: [] },
  { name: 'box1', online: true, since: stamp(now - 52 * HOUR), route: 'direct', version: '0.1.0', services: services(),
    status: status(now),
    claims: [{ gpu: 0, user: 'ann', since: stamp(now - 75 * HOUR), until: stamp(now + 21 * HOUR), note: 'speech run' }],
    alerts: [{ kind: 'disk_failing', object: 'sda', since: stamp(now - 26 * HOUR),
      text: 'The disk sda says that it is failing' }] },
  { name: 'box2', online: true, since: stamp(now - 4 * HOUR), route: 'relayed', version: '0.1.0',
    services: [{ name: 'ssh', kind: 'ssh', port: 22, state: 'up' }],
    status: { uptime_s: 15400, load_1m: 0.02, cpu_count: 4, cpu_used_share: 0.01, memory_total_bytes: 8.2 * GB,
      memory_used_bytes: 1.1 * GB, filesystems: [{ mount: '/', type: 'ext4', total_bytes: 120 * GB, used_bytes: 31 * GB,
        available_bytes: 83 * GB }] } },
  { name: 'cellar', online: false, since: stamp(now - 300 * HOUR), services: [] },
];

export const payOf = (now) => ({
  machine_price: 4100, power_price_per_kwh: 0.31, since: '2026-03-01', currency: 'EUR',
  gpus: [{ index: 0, name: 'NVIDIA GeForce RTX 4090', cloud_price_per_hour: 0.44, price_source: 'prices.ini', price_date: '2026-11-01', used_hours: 4210 },
    { index: 1, name: 'NVIDIA GeForce RTX 3090', cloud_price_per_hour: 0.29, price_source: 'prices.ini', price_date: '2026-11-01', used_hours: 1490 }],
  used_gpu_hours: 5700, cloud_cost: 2284.5, energy_kwh: 2160, energy_cost: 669.6, saved: 1614.9,
  pays_on: stamp(now + 340 * 24 * HOUR).slice(0, 10),
  users: [{ user: 'ann', gpu_hours: 4300, energy_kwh: 1710, cloud_cost: 1850, energy_cost: 530.1 },
    { user: 'ada', gpu_hours: 1400, energy_kwh: 450, cloud_cost: 434.5, energy_cost: 139.5 }],
});

const number = (name, value, unit, help) => ({ name, value, default: value, unit, set_for: null, help });
const kind = (name, help) => ({ name, value: 'on', default: 'on', set_for: null, help });

export const settings = () => [
  number('offline_after_s', '300', 's', 'how long a machine is away before it counts as offline'),
  number('gpu_temperature_celsius', '87', 'celsius', 'from this temperature on a GPU is hot'),
  number('gpu_throttled_after_s', '120', 's', 'how long heat or the hardware slow a GPU down before it is told'),
  number('disk_used_share', '0.95', 'share', 'from this part on a file system is nearly full'),
  number('disk_full_in_s', '86400', 's', 'a file system that will be full within this time is told'),
  number('memory_pressure_share', '0.2', 'share', 'the part of the time in which programs wait for memory'),
  number('job_ended_after_s', '600', 's', 'the end of jobs on a GPU that were shorter is not told'),
  number('claim_ending_s', '900', 's', "how long before its end a claim's end is told"),
  kind('offline', 'a machine is away and does not sleep'),
  kind('gpu_hot', 'a GPU is hot'),
  kind('gpu_throttled', 'a GPU is slowed down by heat or by its hardware'),
  kind('gpu_lost', 'a GPU fell off its bus, or its driver does not answer'),
  kind('gpu_xid', 'a driver reported an error of a GPU (Xid)'),
  kind('gpu_ecc', "a GPU's memory had an error that could not be corrected"),
  kind('disk_full', 'a file system is nearly full'),
  kind('disk_full_soon', 'a file system will be full soon'),
  kind('disk_failing', 'a disk says that it is failing'),
  kind('memory_pressure', 'programs wait for memory'),
  kind('job_ended', 'a job on a GPU has ended'),
  kind('claim_ending', 'your claim ends soon'),
  kind('claim_broken', 'somebody else uses a GPU that was claimed'),
];
