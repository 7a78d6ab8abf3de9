import { schemeCompliance } from '../../payment/compliance.ts';
import { coinKitWorld } from '../coin-peers.fixture.ts';
import { whopay } from './index.ts';

schemeCompliance('whopay', () => coinKitWorld(whopay));
