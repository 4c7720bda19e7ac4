// Small helpers to build parts of the page and to change only what has changed.

export const at = (id) => document.getElementById(id);

export function make(tag, className, text) {
  const node = document.createElement(tag);
  if (className) {
    node.className = className;
  }
  if (text !== undefined) {
    node.textContent = text;
  }
  return node;
}

export function setText(node, text) {
  if (node.textContent !== text) {
    node.textContent = text;
  }
}

export function setHidden(node, hidden) {
  if (node.hidden !== hidden) {
    node.hidden = hidden;
  }
}

// Words that only those hear who do not see the page.
export const makeHidden = (text) => make('span', 'hidden', text);

// Text that changes by itself as time goes by: `write` makes it from the present moment.
export function setTicking(node, write, now) {
  node.dataset.tick = '';
  node.tickWrite = write;
  setText(node, write(now));
}

export function tick(now) {
  for (const node of document.querySelectorAll('[data-tick]')) {
    setText(node, node.tickWrite(now));
  }
}

// Puts `node` before `next` without taking the focus or a selection from it, where the browser can do that.
function place(parent, node, next) {
  if (parent.moveBefore && node.parentNode === parent) {
    parent.moveBefore(node, next);
    return;
  }
  const focused = node.contains(document.activeElement) ? document.activeElement : null;
  parent.insertBefore(node, next);
  focused?.focus({ preventScroll: true });
}

// Makes the children of `parent` follow `items`: parts that stay are updated where they are.
export function follow(parent, items, keyOf, create, update) {
  const parts = parent.parts ??= new Map();
  const wanted = new Set(items.map(keyOf));
  for (const [key, part] of parts) {
    if (!wanted.has(key)) {
      part.node.remove();
      parts.delete(key);
    }
  }
  let next = parent.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    if (!parts.has(key)) {
      parts.set(key, create(item));
    }
    const part = parts.get(key);
    update(part, item);
    // The one that moves is the one that is out of place, not those behind it.
    while (next && next !== part.node && next.nextElementSibling === part.node) {
      place(parent, next, null);
      next = part.node;
    }
    if (part.node === next) {
      next = next.nextElementSibling;
    } else {
      place(parent, part.node, next);
    }
  }
}
