/** A real service that tests run against. */
export type Service = 'postgres' | 'redis';

interface ServiceFacts {
  readonly label: string;
  readonly variable: string;
  readonly defaultUrl: string;
}

/** How each is called and found. */
export const SERVICES: Readonly<Record<Service, ServiceFacts>> = {
  postgres: {
    label: 'Postgres',
    variable: 'POSTGRES_URL',
    defaultUrl: 'postgres://postgres@127.0.0.1:5432/test',
  },
  redis: { label: 'Redis', variable: 'REDIS_URL', defaultUrl: 'redis://127.0.0.1:6379' },
};

/** Where the tests find a service. */
export function serviceUrl(service: Service): string {
  const { variable, defaultUrl } = SERVICES[service];
  return process.env[variable] || defaultUrl;
}
