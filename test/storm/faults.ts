import type { Redis } from 'ioredis';
import type { Pool } from 'pg';
import type { Journal } from './journal.js';
import { FAULT_RATE } from './storm.settings.js';

/** Decides at random what fails, and writes it to the journal. */
export class Faults {
  constructor(private readonly journal: Journal) {}

  strikes(): boolean {
    if (Math.random() * FAULT_RATE >= 1) return false;
    this.journal.fault();
    return true;
  }

  /** Counts the settlements that Postgres fails. */
  watch(pool: Pool): void {
    pool.on('connect', (client) => {
      client.on('notice', ({ message }) => {
        if (message === NOTICE) this.journal.fault();
      });
    });
  }
}

const NOTICE = 'the storm fails a settlement';

/**
 * Makes Postgres fail settlements: as a deadlock, a serialization failure, a cancelled statement, a lack of memory, or a
 * violation of a constraint.
 */
export const FAILING_SETTLEMENTS = `
CREATE FUNCTION fail_settlement() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  codes constant text[] := ARRAY['40P01', '40001', '57014', '53200', '23514'];
BEGIN
  IF random() * ${FAULT_RATE} >= 1 THEN RETURN NEW; END IF;
  -- Unlike anything that is written to a table, a notice survives the error.
  RAISE NOTICE '${NOTICE}';
  RAISE EXCEPTION '${NOTICE}' USING ERRCODE = codes[1 + floor(random() * array_length(codes, 1))::integer];
END $$;
CREATE TRIGGER fail_settlement BEFORE UPDATE ON scalekit_webhooks.inbox_runs
  FOR EACH ROW WHEN (OLD.state = 'running' AND NEW.state <> 'running') EXECUTE FUNCTION fail_settlement();
`;

/** A client of Redis that loses some of its scripts, or their answers. */
export function withFailingScripts(client: Redis, faults: Faults): Redis {
  const evalsha = async (...args: Parameters<Redis['evalsha']>): Promise<unknown> => {
    if (!faults.strikes()) return client.evalsha(...args);
    if (Math.random() < 0.5) await client.evalsha(...args);
    throw new Error('the storm fails a script');
  };
  return new Proxy(client, {
    get(target, property) {
      if (property === 'evalsha') return evalsha;
      const value: unknown = Reflect.get(target, property, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
