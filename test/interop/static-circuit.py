"""A circuit along relays of its user's choice, set up and used by stem, as it would be with C tor.

usage: static-circuit.py CONTROL_PORT SOCKS URL RELAY,RELAY,RELAY
Prints one JSON object: what became of it.
"""
import json
import queue
import subprocess
import sys

import stem
import stem.control

control_port, socks, url, path = sys.argv[1:]
path = path.split(',')
patience = 60
closed = queue.Queue()
payments = []

with stem.control.Controller.from_port(port=int(control_port)) as controller:
    controller.authenticate()
    circuit = controller.extend_circuit('0', path, await_build=True)

    def attach(stream):
        if stream.status == stem.StreamStatus.NEW and stream.circ_id is None:
            controller.attach_stream(stream.id, circuit)
        elif stream.status == stem.StreamStatus.CLOSED:
            closed.put((stream.circ_id, stream.reason))

    controller.add_event_listener(attach, stem.control.EventType.STREAM)
    controller.add_event_listener(lambda event: payments.append(event.positional_args), 'PAYMENT')
    controller.set_conf('__LeaveStreamsUnattached', '1')
    try:
        fetched = subprocess.run(
            ['curl', '-sS', '--fail', '--max-time', str(patience), '--socks5-hostname', socks, url],
            check=True, stdout=subprocess.PIPE).stdout
        circ_id, reason = closed.get(timeout=patience)
    finally:
        controller.reset_conf('__LeaveStreamsUnattached')
    used = controller.get_circuit(circuit)
    costs = controller.get_info('payment/circuits')
    controller.close_circuit(circuit)
    print(json.dumps({
        'circuit': circuit,
        'streamOf': circ_id,
        'reason': reason,
        'status': used.status,
        'path': [nickname for _, nickname in used.path],
        'bytes': len(fetched),
        'paidHops': sorted({int(args[1]) for args in payments if args[0] == circuit}),
        'costs': [line for line in costs.split('\n') if line.startswith(circuit + ' ')],
    }))
