// Dialogs: opened by a button, closed by their own, by Escape, and by a click beside them.
import { make } from './dom.js';

// A new one, closed: { node, title, body }, the last to be filled.
export function makeDialog(id, title) {
  const node = make('dialog', 'dialog');
  const head = make('div', 'dialog-head');
  const close = make('button', 'button quiet close', 'Close');
  const said = make('div', 'hidden');
  const part = { node, title: make('h2', '', title), body: make('div') };
  part.title.id = `${id}-title`;
  part.title.tabIndex = -1;
  node.setAttribute('aria-labelledby', part.title.id);
  close.type = 'button';
  said.setAttribute('role', 'status');
  said.dataset.said = '';
  head.append(part.title, close);
  node.append(head, part.body, said);
  document.body.append(node);
  close.addEventListener('click', () => node.close());
  node.addEventListener('pointerdown', (event) => {
    if (event.target === node) {
      node.close();
    }
  });
  return part;
}
