import { expect, it } from '@jest/globals';
import { errorsOf, programOf } from '../docs/compiler.js';
import { ROOT } from '../docs/markdown.js';
import { PRISMA } from '../helpers/postgres-libraries.js';
import { installedOf } from '../helpers/services.js';

const SOURCE = `
import { Prisma, PrismaClient } from '@prisma/client';
import { PrismaPg } from '@prisma/adapter-pg';
import { type ScalekitDelivery } from 'nestjs-scalekit-webhooks';
import { PostgresInboxStore, prismaQueryable } from 'nestjs-scalekit-webhooks/postgres';

const prisma = new PrismaClient({ adapter: new PrismaPg({ connectionString: process.env.POSTGRES_URL }) });
export const inbox = new PostgresInboxStore({ client: prismaQueryable(prisma), application: 'billing' });

export async function handle(eventId: string, delivery: ScalekitDelivery): Promise<void> {
  await delivery.transaction(async (tx: Prisma.TransactionClient) => {
    await tx.effect.create({ data: { eventId } });
  });
}

export async function handleInOwn(eventId: string, delivery: ScalekitDelivery): Promise<void> {
  await prisma.$transaction(async (tx) => {
    await tx.effect.create({ data: { eventId } });
    await delivery.complete(prismaQueryable(tx));
  });
}
`;

for (const [name] of installedOf('The types', { Prisma: PRISMA })) {
  it(`The types of ${name} fit the inbox, delivery.transaction and delivery.complete`, () => {
    const path = `${ROOT}test/libraries/handlers.ts`;

    expect(errorsOf(programOf(new Map([[path, SOURCE]])), path)).toEqual([]);
  }, 60_000);
}
