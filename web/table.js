// Tables of what machines say, in boxes that scroll by themselves where the page is narrow.
import { follow, make, setText } from './dom.js';

// `columns` are { name, text(item), high(item), kind }: what to say of an item, whether it is alarming, and 'number' or
// 'words' for how it is set; the first column names the item.
export function makeTable(caption, columns) {
  const node = make('div', 'scroll');
  const table = make('table', 'table detail-table');
  const head = make('tr');
  const body = make('tbody');
  const thead = make('thead');
  node.tabIndex = 0;
  node.setAttribute('role', 'group');
  node.setAttribute('aria-label', caption);
  for (const column of columns) {
    const cell = make('th', column.kind ?? '', column.name);
    cell.scope = 'col';
    head.append(cell);
  }
  thead.append(head);
  table.append(make('caption', 'hidden', caption), thead, body);
  node.append(table);
  return { node, body, columns };
}

function createRow(columns) {
  const node = make('tr');
  const cells = columns.map((column, i) => {
    const cell = make(i === 0 ? 'th' : 'td', column.kind ?? '');
    if (i === 0) {
      cell.scope = 'row';
    }
    node.append(cell);
    return cell;
  });
  return { node, cells };
}

export function followTable(table, items, keyOf) {
  follow(table.body, items, keyOf, () => createRow(table.columns), (row, item) => {
    table.columns.forEach((column, i) => {
      setText(row.cells[i], column.text(item));
      row.cells[i].classList.toggle('high', Boolean(column.high?.(item)));
    });
  });
}
