/** Text that is HTML already. */
export interface Html {
  readonly text: string;
}

/** Takes text for HTML, unchanged. */
export function raw(text: string): Html {
  return { text };
}

/** Puts values into HTML: text is escaped, HTML is not. */
export function html(strings: TemplateStringsArray, ...values: (string | Html | Html[])[]): Html {
  return { text: strings.reduce((text, string, at) => text + written(values[at - 1] ?? "") + string) };
}

function written(value: string | Html | Html[]): string {
  if (Array.isArray(value)) return value.map(written).join("");
  return typeof value === "string" ? escape(value) : value.text;
}

const ENTITIES: Record<string, string> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character);
}
