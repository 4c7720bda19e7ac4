// Dialogs: opened by a button, closed by their own, by Escape, and by a click beside them.
import { at } from './dom.js';

export function prepareDialog(id) {
  const dialog = at(id);
  dialog.querySelector('[data-close]').addEventListener('click', () => dialog.close());
  dialog.addEventListener('pointerdown', (event) => {
    if (event.target === dialog) {
      dialog.close();
    }
  });
  return dialog;
}
