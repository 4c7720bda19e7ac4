// Taking a GPU for some hours, and giving it back.
import { order } from './api.js';
import { say } from './copy.js';
import { at, make, makeHidden, setHidden, setText } from './dom.js';
import { claimText } from './gpus.js';

const HOURS = 8;
const HOURS_MAX = 720;
const NOTE_MAX = 120;

function makeField(text, input) {
  const label = make('label', 'field');
  input.className = 'input';
  label.append(make('span', '', text), input);
  return label;
}

function makeButton(className, text, rest) {
  const button = make('button', className, text);
  button.type = 'button';
  button.append(makeHidden(rest));
  return button;
}

function makeForm(rest) {
  const form = make('form', 'claim-form');
  const hours = make('input');
  const note = make('input');
  const take = make('button', 'button main', 'Take');
  const cancel = makeButton('button quiet', 'Cancel', rest);
  Object.assign(hours, { type: 'number', min: '0.1', max: String(HOURS_MAX), step: 'any', value: String(HOURS), required: true });
  Object.assign(note, { type: 'text', maxLength: NOTE_MAX, placeholder: 'speech run', autocomplete: 'off' });
  take.append(makeHidden(rest));
  form.append(makeField('Hours', hours), makeField('What for', note), take, cancel);
  return { form, hours, note, cancel };
}

// The foot of a GPU's block: who has it, and the buttons. `done` is called when something was changed.
export function createClaim(machine, gpu, done) {
  const rest = ` GPU ${gpu} of ${machine.name}`;
  const path = `/api/v1/machines/${encodeURIComponent(machine.name)}/claims`;
  const part = {
    node: make('div', 'claim'),
    text: make('p', 'claim-text'),
    take: makeButton('button', 'Take', rest),
    extend: makeButton('button quiet', 'Change', rest),
    release: makeButton('button quiet', 'Release', rest),
    error: make('p', 'error small'),
    ...makeForm(rest),
  };
  const buttons = make('div', 'claim-buttons');
  const unfold = (open) => {
    setHidden(part.form, !open);
    setHidden(buttons, open);
  };
  buttons.append(part.take, part.extend, part.release);
  part.error.setAttribute('role', 'alert');
  part.node.append(part.text, buttons, part.form, part.error);
  unfold(false);

  async function attempt(what, said) {
    setText(part.error, '');
    try {
      await what();
      unfold(false);
      // The button that was pressed goes away.
      at('gpu-title').focus({ preventScroll: true });
      say(said);
      done();
    } catch (error) {
      setText(part.error, `That did not work: ${error.message}.`);
    }
  }

  const open = (button) => button.addEventListener('click', () => {
    unfold(true);
    part.note.value = part.claimed?.note ?? '';
    part.hours.focus();
    part.hours.select();
  });
  open(part.take);
  open(part.extend);
  part.cancel.addEventListener('click', () => {
    unfold(false);
    (part.take.hidden ? part.extend : part.take).focus();
  });
  part.form.addEventListener('submit', (event) => {
    event.preventDefault();
    const note = part.note.value.trim();
    const body = { gpu, for_s: Math.round(Number(part.hours.value) * 3600), ...((note || part.claimed?.note) && { note }) };
    attempt(() => order('POST', path, body), `GPU ${gpu} is yours.`);
  });
  part.release.addEventListener('click', () => {
    attempt(() => order('DELETE', `${path}/${gpu}`), `GPU ${gpu} is released.`);
  });
  return part;
}

export function updateClaim(part, { claim }, view) {
  const mine = claim?.user === view.me.name;
  part.claimed = claim;
  setText(part.text, claim ? `Claimed by ${claimText(claim, view.now)}` : 'Nobody has claimed it.');
  part.text.classList.toggle('muted', !claim);
  setHidden(part.take, Boolean(claim));
  setHidden(part.extend, !mine);
  setHidden(part.release, !mine && !(claim && view.me.role === 'admin'));
}
