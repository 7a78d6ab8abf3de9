import { schemeCompliance } from '../../payment/compliance.ts';
import { coinKitWorld } from '../coin-peers.fixture.ts';
import { cpay } from './index.ts';

for (const variant of cpay.variants) schemeCompliance(`cpay, ${variant}`, () => coinKitWorld(cpay, variant));
