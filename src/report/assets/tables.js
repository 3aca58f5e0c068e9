// Tables that sort: a click, or Enter, on the head of a column; once more the other way round.
(function () {
  'use strict';
  const collator = new Intl.Collator(undefined, { numeric: true });

  function value(row, column, isNumber) {
    const cell = row.cells[column];
    if (cell.classList.contains('null')) return null;
    if (!isNumber) return cell.textContent;
    const number = Number(cell.dataset.value || cell.textContent.replace(/,/g, ''));
    return Number.isNaN(number) ? null : number;
  }

  function sort(table, column, way) {
    const body = table.tBodies[0];
    const isNumber = table.tHead.rows[0].cells[column].classList.contains('n');
    const rows = Array.from(body.rows, (row) => [value(row, column, isNumber), row]);
    rows.sort(function (a, b) {
      if (a[0] === null || b[0] === null) return (a[0] === null) - (b[0] === null);  // what is missing comes last
      return way * (isNumber ? a[0] - b[0] : collator.compare(a[0], b[0]));
    });
    body.append(...rows.map((row) => row[1]));
  }

  for (const table of document.querySelectorAll('table.sorts')) {
    if (table.tBodies[0].rows.length < 2) continue;
    const heads = Array.from(table.tHead.rows[0].cells);
    heads.forEach(function (head, column) {
      const button = document.createElement('button');
      button.type = 'button';
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener('click', function () {
        const isAscending = head.getAttribute('aria-sort') === 'ascending';
        for (const other of heads) other.removeAttribute('aria-sort');
        head.setAttribute('aria-sort', isAscending ? 'descending' : 'ascending');
        sort(table, column, isAscending ? -1 : 1);
      });
    });
  }
})();
