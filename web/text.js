// How things are said: amounts, times, and the lines to paste into a terminal.

export const DASH = '—'; // what is not known

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
const CLOCK_S = 60; // what a clock may be wrong before it is said
const ROUTES = { lan: 'same network', direct: 'direct', punched: 'direct', relayed: 'via the relay' };
const TITLES = {
  ssh: 'SSH', jupyter: 'Jupyter', tensorboard: 'TensorBoard', mlflow: 'MLflow', ollama: 'Ollama', vllm: 'vLLM',
  comfyui: 'ComfyUI', gradio: 'Gradio', streamlit: 'Streamlit', ray: 'Ray', triton: 'Triton',
};

export function bytesText(bytes) {
  let unit = 0;
  let amount = bytes;
  while (amount >= 1023.95 && unit < UNITS.length - 1) {
    amount /= 1024;
    unit += 1;
  }
  return `${unit === 0 || amount >= 100 ? Math.round(amount) : amount.toFixed(1)} ${UNITS[unit]}`;
}

// An amount with its unit, or a dash.
export function amountText(value, unit, digits = 0) {
  return value === undefined || value === null ? DASH : `${value.toFixed(digits)}${unit && ` ${unit}`}`;
}

export const shareText = (share) => amountText(share === undefined || share === null ? share : share * 100, '%');
export const celsiusText = (degrees) => amountText(degrees, '°C');
export const wattsText = (watts) => amountText(watts, 'W');
export const sizeText = (bytes) => (bytes === undefined ? DASH : bytesText(bytes));
export const rateText = (rate) => (rate === undefined || rate === null ? DASH : `${bytesText(rate)}/s`);

export function durationText(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
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

// Without the smaller unit, for what is long ago or far away.
export function roughText(ms) {
  return durationText(ms).split(' ').slice(0, 2).join(' ');
}

export function agoText(ms) {
  return ms < 5000 ? 'just now' : `${durationText(ms)} ago`;
}

// How long until something that nobody knows to the minute; '' when it is too far away to mean much.
export function aboutText(s) {
  const days = Math.round(s / 86400);
  const hours = Math.round(s / 3600);
  if (days > 30) {
    return '';
  }
  return days >= 2 ? `about ${days} days` : hours >= 2 ? `about ${hours} hours` : 'about an hour';
}

export function momentText(date) {
  const today = date.toDateString() === new Date().toDateString();
  return date.toLocaleString(undefined, today ? { timeStyle: 'short' } : { dateStyle: 'medium', timeStyle: 'short' });
}

// The end of something within the next days: "18:00", "Tue 18:00", "1 Dec 18:00".
export function untilText(date, now) {
  const time = date.toLocaleTimeString(undefined, { timeStyle: 'short' });
  if (date.toDateString() === new Date(now).toDateString()) {
    return time;
  }
  const day = date - now < 6 * 86400000 ? { weekday: 'short' } : { day: 'numeric', month: 'short' };
  return `${date.toLocaleDateString(undefined, day)} ${time}`;
}

export const routeText = (route) => ROUTES[route] ?? route;

export function serviceTitle(service) {
  const [word, ...rest] = service.name.split('-');
  return TITLES[word] ? [TITLES[word], ...rest].join(' ') : service.name;
}

export function loadText(status) {
  const cpus = status.cpu_count ? ` on ${status.cpu_count} ${status.cpu_count === 1 ? 'CPU' : 'CPUs'}` : '';
  return `${status.load_1m.toFixed(2)}${cpus}`;
}

// '' when the machine's clock is good enough, or nothing is known of it.
export function clockText(offset) {
  const wrong = offset !== undefined && Math.abs(offset) > CLOCK_S;
  return wrong ? `${roughText(Math.abs(offset) * 1000)} ${offset > 0 ? 'ahead' : 'behind'}` : '';
}

// A browser by the name that it gives itself: "Firefox on Linux".
export function agentText(agent) {
  const browsers = [['Edg', 'Edge'], ['OPR/', 'Opera'], ['Firefox/', 'Firefox'], ['FxiOS/', 'Firefox'],
    ['Chrome/', 'Chrome'], ['CriOS/', 'Chrome'], ['Safari/', 'Safari']];
  const systems = [['Android', 'Android'], ['iPhone', 'iPhone'], ['iPad', 'iPad'], ['Windows', 'Windows'],
    ['Mac OS X', 'macOS'], ['CrOS', 'ChromeOS'], ['Linux', 'Linux']];
  const known = (list) => list.find(([mark]) => agent.includes(mark))?.[1];
  const browser = known(browsers);
  if (!browser) {
    return agent.slice(0, 60) || 'An unknown browser';
  }
  const system = known(systems);
  return system ? `${browser} on ${system}` : browser;
}

// Lines to paste

const sshPort = (me) => (me.relay_port === 22 ? '' : ` -p ${me.relay_port}`);

export const verbLine = (me, verb) => `ssh${sshPort(me)} ${me.name}@${me.relay_host} ${verb}`;

export function jumpLine(me, machine) {
  const host = me.relay_host.includes(':') ? `[${me.relay_host}]` : me.relay_host;
  const port = me.relay_port === 22 ? '' : `:${me.relay_port}`;
  return `ssh -J ${me.name}@${host}${port} ${machine.name}`;
}

// Ports below 1024 are not for ordinary users to listen on.
const localPort = (service) => (service.port < 1024 ? service.port + 8000 : service.port);

export function forwardLine(me, machine, service) {
  return `ssh -N -L ${localPort(service)}:${machine.name}:${service.port}${sshPort(me)} ${me.name}@${me.relay_host}`;
}

// Where a forwarded service is found then. Only the path is the machine's to say, and only within its own address.
export function forwardedUrl(service) {
  const url = new URL(`http://localhost:${localPort(service)}/`);
  url.pathname = service.path ?? '/';
  return url.href;
}

export const machinePath = (machine) => `/machines/${encodeURIComponent(machine.name)}`;
export const openPath = (machine, service) =>
  `/open/${encodeURIComponent(machine.name)}/${encodeURIComponent(service.name)}`;
