const WIDTH = 720;
const LABEL_WIDTH = 240;
const VALUE_WIDTH = 70;
const ROW_HEIGHT = 30;
const TOP = 40;

/** A bar of a chart. */
export interface Bar {
  readonly label: string;
  readonly value: number;
}

/** An SVG with a horizontal bar for each value, ours in another colour, readable on light and dark pages. */
export function barChart(title: string, bars: readonly Bar[]): string {
  const largest = Math.max(...bars.map(({ value }) => value));
  const rows = bars.map(({ label, value }, index) => {
    const width = (value / largest) * (WIDTH - LABEL_WIDTH - VALUE_WIDTH);
    const y = TOP + index * ROW_HEIGHT;
    const colour = label.startsWith('ours') ? '#2f6feb' : '#8b949e';
    return [
      `<text x="${LABEL_WIDTH - 10}" y="${y + 15}" text-anchor="end">${escapeXml(label)}</text>`,
      `<rect x="${LABEL_WIDTH}" y="${y}" width="${width.toFixed(1)}" height="20" fill="${colour}"/>`,
      `<text x="${(LABEL_WIDTH + width + 8).toFixed(1)}" y="${y + 15}">${value.toFixed(2)} ×</text>`,
    ].join('');
  });
  const height = TOP + bars.length * ROW_HEIGHT + 10;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="13" fill="#6e7781">
<title>${escapeXml(title)}</title>
<text x="10" y="20" font-size="15">${escapeXml(title)}</text>
${rows.join('\n')}
</svg>
`;
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
}
