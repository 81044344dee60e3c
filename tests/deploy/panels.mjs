// What Grafana's own code makes of each tile: `node panels.mjs DASHBOARD`, in a folder with @grafana/data installed.
// Prints JSON: by title and by what the query answers, the text and the colour that are shown; of lines and bars, those of
// a value.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

globalThis.navigator ??= { language: 'en-US', languages: ['en-US'] };
const data = createRequire(`${process.cwd()}/`)('@grafana/data');
const theme = data.createTheme();
const board = JSON.parse(readFileSync(process.argv[2], 'utf8'));

function frame(value, config) {
  const time = { name: 'Time', type: data.FieldType.time, values: [1] };
  const made = data.toDataFrame({ fields: [time, { name: 'Value', type: data.FieldType.number, values: [value], config }] });
  // As applyFieldOverrides does it in Grafana.
  for (const field of made.fields) field.display = data.getDisplayProcessor({ field, theme });
  return made;
}

function shown(panel, answer) {
  const [tile] = data.getFieldDisplayValues({
    fieldConfig: panel.fieldConfig,
    reduceOptions: panel.options.reduceOptions,
    replaceVariables: (text) => text,
    theme,
    data: answer === null ? [] : [frame(answer, panel.fieldConfig.defaults)],
  });
  const { prefix = '', text, suffix = '', color } = tile.display;
  return { text: `${prefix}${text}${suffix}`, color };
}

// A legend, an axis or a bar shows a value by itself.
function drawn(panel, answer) {
  const field = frame(answer, panel.fieldConfig.defaults).fields[1];
  const { prefix = '', text, suffix = '', color } = field.display(answer);
  return { text: `${prefix}${text}${suffix}`, color };
}

const answers = { nothing: null, nan: NaN, zero: 0, one: 1, nine: 9, fraction: 2.5, thousands: 38112 };
const found = { tiles: {}, drawn: {} };
for (const panel of board.panels.filter((each) => each.type !== 'row')) {
  const [kind, show] = panel.type === 'stat' ? ['tiles', shown] : ['drawn', drawn];
  found[kind][panel.title] = Object.fromEntries(Object.entries(answers).map(([name, value]) => [name, show(panel, value)]));
}
process.stdout.write(JSON.stringify(found));
