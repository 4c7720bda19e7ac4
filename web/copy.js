// Lines to paste, each with a button that copies it. Works for those in the page and for those made later.

const SHOWN_MS = 2000;
const timers = new WeakMap();

function say(text) {
  const place = document.getElementById('said');
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

async function copyLine(button) {
  const code = button.parentElement.querySelector('code');
  const word = button.querySelector('[data-word]');
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
    word.textContent = 'Copy';
    button.classList.remove('done');
  }, SHOWN_MS));
}

document.addEventListener('click', (event) => {
  const button = event.target.closest('[data-copy]');
  if (button) {
    copyLine(button);
  }
});

// A line with its button. `what` says which line it is to those who do not see it.
export function makeLine(what) {
  const line = document.createElement('div');
  const code = document.createElement('code');
  const button = document.createElement('button');
  const word = document.createElement('span');
  const rest = document.createElement('span');
  line.className = 'line';
  button.type = 'button';
  button.className = 'button';
  button.dataset.copy = '';
  word.dataset.word = '';
  word.textContent = 'Copy';
  rest.className = 'hidden';
  rest.textContent = ` ${what}`;
  button.append(word, rest);
  line.append(code, button);
  return { line, code };
}
