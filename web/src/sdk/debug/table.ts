// A table whose cells are kept: only text that changed is written, so that it can be clicked and scrolled while it changes.

export interface Cell {
  readonly text: string;
  readonly style?: string | undefined;
  readonly span?: number | undefined;
}

export class Table {
  readonly element = document.createElement("table");
  /** `picked`: called with the index of a row that was pressed. */
  constructor(picked?: (index: number) => void) {
    if (!picked) return;
    this.element.className = "picks";
    this.element.addEventListener("click", ({ target }) => {
      const row = (target as Element).closest("tr");
      if (row) picked(row.rowIndex);
    });
  }

  /** Shows these rows. */
  show(rows: readonly { readonly style?: string; readonly cells: readonly Cell[] }[]): void {
    const { element } = this;
    while (element.rows.length > rows.length) element.deleteRow(-1);
    rows.forEach(({ style = "", cells }, index) => {
      const row = element.rows[index] ?? element.insertRow();
      if (row.className !== style) row.className = style;
      while (row.cells.length > cells.length) row.deleteCell(-1);
      cells.forEach(({ text, style = "", span = 1 }, at) => {
        const cell = row.cells[at] ?? row.insertCell();
        if (cell.textContent !== text) cell.textContent = text;
        if (cell.className !== style) cell.className = style;
        if (cell.colSpan !== span) cell.colSpan = span;
      });
    });
  }
}
