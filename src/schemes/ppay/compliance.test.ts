import { schemeCompliance } from '../../payment/compliance.ts';
import { coinKitWorld } from '../coin-peers.fixture.ts';
import { ppay } from './index.ts';

schemeCompliance('ppay', () => coinKitWorld(ppay));
schemeCompliance('ppay with layered coins', () => coinKitWorld(ppay, 'layered'));
