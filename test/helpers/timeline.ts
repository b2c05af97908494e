import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { jest } from '@jest/globals';
import { parse } from 'yaml';
import { durationS, evaluate, parsePromQl, parseSamples, type Sample, type Scrape } from './promql.js';

/** A rule of our alerts. */
export interface AlertRule {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

/** An alert that fires. */
interface FiringAlert {
  readonly alert: string;
  readonly labels: Sample['labels'];
}

export const ALERTS_FILE = new URL('../../docs/monitoring/alerts.yml', import.meta.url).pathname;
export const RULES: readonly AlertRule[] = parse(readFileSync(ALERTS_FILE, 'utf8')).groups.flatMap(
  ({ rules }: { rules: AlertRule[] }) => rules,
);
export const isPromtoolInstalled = spawnSync('promtool', ['--version']).status === 0;

const MINUTE_S = 60;
const EXPRESSIONS = new Map(RULES.map((rule) => [rule, parsePromQl(rule.expr)]));

/** What Prometheus would have scraped, once a minute of a clock that the test holds, and the alerts that fire on it. */
export class Timeline {
  readonly scrapes: Scrape[] = [];
  readonly #targets = new Map<string, string>();
  /** A whole second, so that the clock of the test and the times of the scrapes agree. */
  #at = Math.floor(Date.now() / 1000);

  /** Scrapes this process from now on, until the returned function is called. */
  watch(instance: string, url: string): () => void {
    this.#targets.set(instance, url);
    return () => this.#targets.delete(instance);
  }

  /** Lets minutes pass. Each ends with a scrape of all processes. */
  async pass(minutes: number, work: () => Promise<unknown> = async () => {}): Promise<void> {
    for (let minute = 0; minute < minutes; minute += 1) {
      this.skip(1);
      await work();
      const samples: Sample[] = [];
      for (const [instance, url] of this.#targets) {
        const text = await (await fetch(url)).text();
        for (const { name, labels, value } of parseSamples(text)) {
          samples.push({ name, labels: { ...labels, instance }, value });
        }
      }
      this.scrapes.push({ at: this.#at, samples });
    }
  }

  /** Lets minutes pass without a scrape. */
  skip(minutes: number): void {
    this.#at += minutes * MINUTE_S;
    jest.setSystemTime(this.#at * 1000);
  }

  /** The names of the alerts that fire by now. */
  firing(): string[] {
    const alerts = this.#firingAt().get(this.#at) ?? [];
    return [...new Set(alerts.map(({ alert }) => alert))].sort();
  }

  /** What `promtool` says if it evaluates the rules on the same samples: an empty text if it sees the same alerts fire. */
  async promtool(directory: string): Promise<string> {
    const [first, ...others] = this.scrapes;
    if (!first) return '';
    const names = new Set(this.#names());
    const firing = this.#firingAt();
    const minuteOf = (at: number) => (at - first.at) / MINUTE_S;
    const series = new Map<string, string[]>();
    let last = -1;
    for (const { at, samples } of [first, ...others]) {
      const gap = minuteOf(at) - last - 1;
      last = minuteOf(at);
      const present = new Set<string>();
      for (const { name, labels, value } of samples) {
        if (!names.has(name)) continue;
        const id = `${name}{${printed(labels)}}`;
        present.add(id);
        const values = series.get(id) ?? [];
        const missing = last - values.length;
        values.push(...Array<string>(missing).fill('_'));
        // The clock of promtool begins at 0.
        values.push(String(name.endsWith('_last_done') ? value - first.at : value));
        series.set(id, values);
      }
      for (const [id, values] of series) {
        if (present.has(id)) continue;
        values.push(...Array<string>(gap).fill('_'), 'stale');
      }
    }
    const tests = this.scrapes.map(({ at }) => ({
      expr: 'ALERTS{alertstate="firing"}',
      eval_time: `${minuteOf(at)}m`,
      exp_samples: (firing.get(at) ?? []).map(({ alert, labels }) => ({
        labels: `ALERTS{${printed({ ...labels, alertname: alert, alertstate: 'firing' })}}`,
        value: 1,
      })),
    }));
    const input = [...series].map(([id, values]) => ({ series: id, values: values.join(' ') }));
    const file = join(directory, 'alerts.test.json');
    await writeFile(
      file,
      JSON.stringify({
        rule_files: [ALERTS_FILE],
        evaluation_interval: '1m',
        tests: [{ interval: '1m', input_series: input, promql_expr_test: tests }],
      }),
    );
    const { status, stdout, stderr } = spawnSync('promtool', ['test', 'rules', file], { encoding: 'utf8' });
    return status === 0 ? '' : `${stdout}${stderr}`;
  }

  /** The alerts that fire at each minute, in seconds. */
  #firingAt(): ReadonlyMap<number, readonly FiringAlert[]> {
    const firing = new Map<number, FiringAlert[]>();
    const activeSince = new Map<string, number>();
    const start = this.scrapes[0]?.at ?? this.#at;
    for (let at = start; at <= this.#at; at += MINUTE_S) {
      const alerts: FiringAlert[] = [];
      for (const rule of RULES) {
        const expression = EXPRESSIONS.get(rule);
        const vector = expression ? evaluate(expression, this.scrapes, at) : [];
        if (typeof vector === 'number') throw new Error(`${rule.alert} is a number`);
        const active = new Set<string>();
        for (const { labels } of vector) {
          const key = `${rule.alert} ${printed(labels)}`;
          active.add(key);
          if (!activeSince.has(key)) activeSince.set(key, at);
          const waits = at - (activeSince.get(key) ?? at) < durationS(rule.for ?? '0m');
          if (!waits) alerts.push({ alert: rule.alert, labels: { ...labels, ...rule.labels } });
        }
        for (const key of activeSince.keys()) {
          if (key.startsWith(`${rule.alert} `) && !active.has(key)) activeSince.delete(key);
        }
      }
      firing.set(at, alerts);
    }
    return firing;
  }

  #names(): string[] {
    return this.scrapes
      .flatMap(({ samples }) => samples.map(({ name }) => name))
      .filter((name) => RULES.some(({ expr }) => expr.includes(name)));
  }
}

function printed(labels: Sample['labels']): string {
  return Object.entries(labels)
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([label, value]) => `${label}=${JSON.stringify(value)}`)
    .join(',');
}
