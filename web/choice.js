// Which machines are shown, in which order and form, and what the browser remembers of it.

import { gpusOf, useText } from './gpus.js';

const SORTS = {
  state: (a, b) => b.online - a.online,
  name: () => 0,
  seen: (a, b) => seenAt(b) - seenAt(a),
  load: (a, b) => loadOf(b) - loadOf(a),
};

const seenAt = (machine) => (machine.online ? Infinity : Date.parse(machine.since) || 0);

// In steps: nobody wants cards that change places all the time.
function loadOf(machine) {
  const status = machine.online ? machine.status ?? {} : {};
  return status.load_1m === undefined ? -1 : Math.round((status.load_1m / (status.cpu_count || 1)) * 5);
}

export function sortMachines(machines, sort) {
  const order = SORTS[sort];
  return [...machines].sort((a, b) => (order(a, b) || 0) || a.name.localeCompare(b.name, 'en', { numeric: true }));
}

const stateOf = (machine) => (machine.online ? 'online' : machine.asleep ? 'asleep offline' : 'offline');

function gpuWords({ gpu, users, claim, processes, free }) {
  return [gpu.name, free ? 'free' : useText({ gpu, users, claim, processes }), claim?.user, claim?.note, ...users,
    ...processes.map((one) => one.container)];
}

// Every word must be found, in the machine's name, its state, its GPUs and their users, or what runs on it.
export function filterMachines(machines, filter) {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  return machines.filter((machine) => {
    const services = machine.online ? machine.services ?? [] : [];
    const text = [machine.name, stateOf(machine), (machine.alerts ?? []).length ? 'alerts' : '',
      ...gpusOf(machine).flatMap(gpuWords), ...services.flatMap((service) =>
        [service.name, ...(service.notebooks ?? []).map((notebook) => notebook.name)])]
      .filter(Boolean).join('\n').toLowerCase();
    return words.every((word) => text.includes(word));
  });
}

// Browsers may forbid to keep anything: then nothing is remembered.
function recall(storage, name) {
  try {
    return window[storage].getItem(name) ?? '';
  } catch {
    return '';
  }
}

function remember(storage, name, value) {
  try {
    window[storage].setItem(name, value);
  } catch {
    // It is a convenience only.
  }
}

// The form is for all tabs to come, the filter for this one.
export function recallChoice() {
  const sort = recall('localStorage', 'sort');
  return {
    sort: sort in SORTS ? sort : 'state',
    form: recall('localStorage', 'form') === 'table' ? 'table' : 'cards',
    filter: recall('sessionStorage', 'filter'),
  };
}

export function rememberChoice(choice) {
  remember('localStorage', 'sort', choice.sort);
  remember('localStorage', 'form', choice.form);
  remember('sessionStorage', 'filter', choice.filter);
}
