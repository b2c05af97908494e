import { escapeUnits } from '../errors/printable.js';

/** Puts untrusted text on one line, without characters that could control the terminal. */
export function sanitizeLine(text: string): string {
  return text.replaceAll(/[\p{C}\s]+/gu, ' ').trim();
}

/** Keeps the lines of untrusted text, and escapes characters that could control the terminal as JSON does. */
export function sanitizeText(text: string): string {
  return text.replaceAll(/(?![\n\t])\p{C}/gu, escapeUnits);
}
