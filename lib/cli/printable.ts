/** Text from elsewhere on one line, so that nothing of it can steer the terminal. */
export function onOneLine(text: string): string {
  return text.replaceAll(/[\p{C}\s]+/gu, ' ').trim();
}

/** Text from elsewhere with its lines; what could steer the terminal is written as JSON's escapes. */
export function onItsLines(text: string): string {
  return text.replaceAll(/(?![\n\t])\p{C}/gu, (found) =>
    Array.from({ length: found.length }, (_, index) => escaped(found.charCodeAt(index))).join(''),
  );
}

function escaped(code: number): string {
  return `\\u${code.toString(16).padStart(4, '0')}`;
}
