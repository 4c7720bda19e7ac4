// Quiet hours: times of day in the browser's time zone.
import { ask, order } from './api.js';
import { say } from './copy.js';
import { at, setHidden, setText } from './dom.js';

const PATH = '/api/v1/alerts/quiet';

// "+01:00", as it is here today.
function offsetHere() {
  const minutes = -new Date().getTimezoneOffset();
  const two = (n) => String(Math.floor(Math.abs(n))).padStart(2, '0');
  return `${minutes < 0 ? '-' : '+'}${two(minutes / 60)}:${two(minutes % 60)}`;
}

export function prepareQuiet() {
  const form = at('quiet-form');

  function show(quiet) {
    const on = Boolean(quiet.from);
    setText(at('quiet-now'), on ? `They are from ${quiet.from} to ${quiet.to} (UTC${quiet.offset}).` : 'They are off.');
    setHidden(at('quiet-off'), !on);
    if (on) {
      form.elements.from.value = quiet.from;
      form.elements.to.value = quiet.to;
    }
  }

  async function attempt(what, said) {
    setText(at('quiet-error'), '');
    try {
      show(await what());
      if (said) {
        say(said);
      }
    } catch (error) {
      setText(at('quiet-error'), `That did not work: ${error.message}.`);
    }
  }

  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const body = { from: form.elements.from.value, to: form.elements.to.value, offset: offsetHere() };
    attempt(() => order('PUT', PATH, body), 'The quiet hours are saved.');
  });
  at('quiet-off').addEventListener('click', () => {
    attempt(() => order('PUT', PATH, {}), 'The quiet hours are off.').then(() => form.elements.from.focus());
  });
  attempt(() => ask(PATH));
}
