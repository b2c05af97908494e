/** The patterns that an event type matches, from the exact name to `*`: `a.b` → `a.b`, `a.*`, `*`. */
export function patternsOf(type: string): readonly string[] {
  const patterns = [type];
  for (let dot = type.lastIndexOf('.'); dot > 0; dot = type.lastIndexOf('.', dot - 1)) {
    patterns.push(`${type.slice(0, dot)}.*`);
  }
  patterns.push('*');
  return patterns;
}
