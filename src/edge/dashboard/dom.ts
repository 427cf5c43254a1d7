/** Builds the document. Keys, tags and reasons come from anybody who can send a request: they only ever become text. */

type Child = Node | string | number | null | undefined;

/** Attributes that are set as properties of the element. `text` can't be markup. */
interface Given {
  class?: string;
  text?: string;
  on?: Record<string, (event: Event) => void>;
  [attribute: string]: unknown;
}

/** Makes an element. */
export function make<Name extends keyof HTMLElementTagNameMap>(name: Name, given: Given = {}, ...children: Child[]): HTMLElementTagNameMap[Name] {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(given)) {
    if (value === undefined || value === null || value === false) continue;
    if (key === "text") element.textContent = String(value);
    else if (key === "on") for (const [event, listener] of Object.entries(given.on ?? {})) element.addEventListener(event, listener);
    else element.setAttribute(key, value === true ? "" : String(value));
  }
  for (const child of children) if (child !== null && child !== undefined) element.append(child instanceof Node ? child : String(child));
  return element;
}

/** Returns an element of the page. */
export function element<Type extends HTMLElement = HTMLElement>(id: string): Type {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`there is no #${id}`);
  return found as Type;
}

/** A row: its cells, and by what it is recognised when the table is filled again. */
export interface Row {
  id: string;
  cells: Child[];
}

/** Fills a table. If nothing has changed, it is left alone, so that neither the focus nor a selection is lost. */
export function fill(id: string, rows: Row[], empty: string): void {
  const body = element<HTMLTableElement>(id).tBodies[0];
  if (body === undefined) return;
  const columns = element<HTMLTableElement>(id).tHead?.rows[0]?.cells ?? [];
  const text = rows.map(({ id, cells }) => [id, ...cells.map((cell) => (cell instanceof Node ? cell.textContent : cell))].join("\u0000")).join("\u0001");
  if (body.dataset["shown"] === text && body.rows.length > 0) return;
  body.dataset["shown"] = text;
  const focused = focusIn(body);
  // On a narrow screen the style makes blocks of rows and cells, which would take away what they are.
  body.parentElement?.setAttribute("role", "table");
  body.setAttribute("role", "rowgroup");
  if (rows.length === 0) {
    body.replaceChildren(make("tr", { role: "row" }, make("td", { role: "cell", colspan: columns.length, class: "empty", text: empty })));
    return;
  }
  // On a narrow screen each cell is a line of its own, with the heading of its column.
  const row = ({ id, cells }: Row) =>
    make("tr", { role: "row", "data-id": id }, ...cells.map((cell, at) => make("td", { role: "cell", "data-head": columns[at]?.textContent ?? "" }, cell)));
  body.replaceChildren(...rows.map(row));
  focused?.();
}

/** Remembers which button of which row has the focus, and returns how to give it back. */
function focusIn(body: HTMLElement): (() => void) | undefined {
  const active = document.activeElement;
  if (!(active instanceof HTMLElement) || !body.contains(active)) return undefined;
  const id = active.closest("tr")?.dataset["id"];
  const label = active.textContent;
  return () => {
    const row = [...body.querySelectorAll("tr")].find((row) => row.dataset["id"] === id);
    [...(row?.querySelectorAll("button") ?? [])].find((button) => button.textContent === label)?.focus();
  };
}

/** Says something to those who see and to those who listen. */
export function say(id: string, text: string, kind: "" | "error" | "done" = ""): void {
  const line = element(id);
  if (line.textContent === text && line.dataset["kind"] === kind) return;
  line.textContent = text;
  line.dataset["kind"] = kind;
}
