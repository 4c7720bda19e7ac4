// Lines to paste, each with a button that copies it. Works for those in the page and for those made later.

const SHOWN_MS = 2000;
const timers = new WeakMap();

// What stands behind an open dialog is not read out: so a dialog has a place of its own.
export function say(text) {
  const place = document.querySelector('dialog[open] [data-said]') ?? document.querySelector('body > [data-said]');
  // The same words again are read out again only when the place was empty in between.
  place.textContent = '';
  setTimeout(() => { place.textContent = text; }, 50);
}

// For browsers that keep the clipboard from pages without a trusted certificate.
function copySelected(code) {
  const selection = getSelection();
  const range = document.createRange();
  range.selectNodeContents(code);
  selection.removeAllRanges();
  selection.addRange(range);
  return document.execCommand('copy');
}

// The line of a button stands beside it, shown or not.
async function copyLine(button) {
  const code = button.parentElement.querySelector('code');
  const word = button.querySelector('[data-word]');
  const usual = word.dataset.word;
  let copied = true;
  try {
    await navigator.clipboard.writeText(code.textContent);
  } catch {
    copied = copySelected(code);
  }
  const text = copied ? 'Copied' : 'Press Ctrl-C';
  word.textContent = text;
  button.classList.toggle('done', copied);
  say(text);
  clearTimeout(timers.get(button));
  timers.set(button, setTimeout(() => {
    word.textContent = usual;
    button.classList.remove('done');
  }, SHOWN_MS));
}

document.addEventListener('click', (event) => {
  const button = event.target.closest('[data-copy]');
  if (button) {
    copyLine(button);
  }
});

function makeCopy(className, word, rest) {
  const button = document.createElement('button');
  const shown = document.createElement('span');
  const more = document.createElement('span');
  button.type = 'button';
  button.className = className;
  button.dataset.copy = '';
  shown.dataset.word = word;
  shown.textContent = word;
  more.className = 'hidden';
  more.textContent = rest;
  button.append(shown, more);
  return button;
}

// A line with its button. `what` says which line it is to those who do not see it.
export function makeLine(what) {
  const line = document.createElement('div');
  const code = document.createElement('code');
  line.className = 'line';
  line.append(code, makeCopy('button', 'Copy', ` ${what}`));
  return { line, code };
}

// Only the button, which says `word`: the line itself is not shown.
export function makeShortLine(word, what) {
  const line = document.createElement('span');
  const code = document.createElement('code');
  line.className = 'short-line';
  code.className = 'hidden';
  line.append(makeCopy('chip', word, ` (copy ${what})`), code);
  return { line, code };
}
