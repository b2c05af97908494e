/** Puts untrusted text on one line, without characters that could control the terminal. */
export function sanitizeLine(text: string): string {
  return text.replaceAll(/[\p{C}\s]+/gu, ' ').trim();
}

/** Keeps the lines of untrusted text, and escapes characters that could control the terminal as JSON does. */
export function sanitizeText(text: string): string {
  return text.replaceAll(/(?![\n\t])\p{C}/gu, (found) =>
    Array.from({ length: found.length }, (_, index) => escapeCode(found.charCodeAt(index))).join(''),
  );
}

function escapeCode(code: number): string {
  return `\\u${code.toString(16).padStart(4, '0')}`;
}
