// How a machine is, in a word; what is wrong with it; and how to wake it.
import { order } from './api.js';
import { say } from './copy.js';
import { follow, make, makeHidden, setHidden, setText, setTicking } from './dom.js';
import { roughText } from './text.js';

export function stateText(machine) {
  if (machine.online) {
    return 'Online';
  }
  return machine.asleep ? 'Asleep' : machine.since ? 'Offline' : 'Never connected';
}

export const createState = () => ({ node: make('span', 'state') });

export function updateState(part, machine) {
  setText(part.node, stateText(machine));
  part.node.classList.toggle('online', machine.online);
  part.node.classList.toggle('asleep', Boolean(machine.asleep) && !machine.online);
}

// Alerts that are on

function createAlert() {
  const node = make('li', 'alert');
  const text = make('bdi');
  const since = make('span', 'alert-since');
  node.append(text, ' ', since);
  return { node, text, since };
}

function updateAlert(part, alert, now) {
  setText(part.text, alert.text);
  setTicking(part.since, (then) => (alert.since ? `for ${roughText(then - Date.parse(alert.since))}` : ''), now);
}

export function followAlerts(list, machine, now) {
  const alerts = machine.alerts ?? [];
  follow(list, alerts, (alert) => `${alert.kind} ${alert.object ?? ''}`, createAlert, (part, alert) =>
    updateAlert(part, alert, now));
  setHidden(list, alerts.length === 0);
}

// Waking: the packet is sent at once, the machine takes its time.
export function wakeOf(machine) {
  const node = make('div', 'wake');
  const button = make('button', 'button', 'Wake');
  const said = make('p', 'small');
  button.type = 'button';
  button.append(makeHidden(` ${machine.name}`));
  said.setAttribute('role', 'alert');
  node.append(button, said);
  button.addEventListener('click', async () => {
    button.disabled = true;
    setText(said, '');
    try {
      await order('POST', `/api/v1/machines/${encodeURIComponent(machine.name)}/wake`);
      setText(said, 'The wake-up call is out. It can take a minute until the machine is here.');
      said.classList.remove('error');
      say(`${machine.name} was called.`);
    } catch (error) {
      setText(said, `It was not woken: ${error.message}.`);
      said.classList.add('error');
    }
    button.disabled = false;
  });
  return { node, button };
}
