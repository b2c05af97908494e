import { type BenchTable, type Goal, holds } from '../section.js';

/** The goals of a section, and what was measured. */
export function goalsTable(goals: readonly Goal[], title = 'Goals'): BenchTable {
  return {
    title,
    columns: ['figure', 'goal', 'measured', ''],
    rows: goals.map((goal) => [
      goal.figure,
      goalText(goal),
      valueText(goal),
      holds(goal) ? 'holds' : 'missed',
    ]),
  };
}

/** For a terminal. */
export function textTable({ title, columns, rows }: BenchTable): string {
  const widths = columns.map((_, column) =>
    Math.max(...[columns, ...rows].map((cells) => cells[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd();
  return [title, line(columns), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n');
}

/** For the report. */
export function markdownTable({ columns, rows }: Omit<BenchTable, 'title'>): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(columns), `|${columns.map(() => '---|').join('')}`, ...rows.map(line)].join('\n');
}

function goalText({ atMost, atLeast, unit = '×' }: Goal): string {
  return atMost === undefined ? `≥ ${atLeast} ${unit}` : `≤ ${atMost} ${unit}`;
}

function valueText({ measured, unit = '×' }: Goal): string {
  return `${unit === '×' ? measured.toFixed(2) : measured.toFixed(0)} ${unit}`;
}
