import { expect, it } from '@jest/globals';
import { aLease, anEvent } from '../../conformance/inbox-store.harness.js';
import { PostgresFixture } from '../../helpers/postgres-fixture.js';
import { describeWithService } from '../../helpers/services.js';

await describeWithService('postgres', 'The statement that takes due runs', () => {
  // Each connection has its own plans.
  const postgres = PostgresFixture.use(1);

  async function take(limit: number): Promise<number> {
    const request = { endpoint: 'default', handlerIds: ['A.run'], limit, lease: aLease() };
    return (await postgres.store.takeDue(request)).runs.length;
  }

  async function enqueue(count: number): Promise<void> {
    const events = Array.from({ length: count }, () => anEvent());
    await Promise.all(events.map((event) => postgres.store.enqueue(event, ['A.run'])));
  }

  it('is not planned again each time', async () => {
    // Postgres plans the first five executions anew, and then compares the costs.
    for (let execution = 0; execution < 7; execution += 1) {
      await enqueue(2);
      await take(1);
    }

    const { rows } = await postgres.pool.query(
      `SELECT generic_plans::integer FROM pg_prepared_statements WHERE statement LIKE '%LIMIT 1%is_paused%'`,
    );

    expect(rows).toEqual([{ generic_plans: 2 }]);
  });

  it.each([1, 20, 21, 50])('takes %i runs if that many are due and asked for', async (limit) => {
    await enqueue(limit + 1);

    expect(await take(limit)).toBe(limit);
  });
});
