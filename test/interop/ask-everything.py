"""All that stem's Controller can ask of a client, over both of its ways in.

usage: ask-everything.py CONTROL_PORT RELAY
Prints one JSON object: each method and what it gave; one that raised ends the script.
"""
import json
import sys

import stem.connection
import stem.control

control_port, relay = int(sys.argv[1]), sys.argv[2]
answers = {}

for method in ('safecookie', 'cookie'):
    with stem.control.Controller.from_port(port=control_port) as controller:
        file = controller.get_protocolinfo().cookie_path
        if method == 'safecookie':
            stem.connection.authenticate_safecookie(controller, file)
        else:
            stem.connection.authenticate_cookie(controller, file)
        answers[method] = controller.get_info('dormant')

with stem.control.Controller.from_port(port=control_port) as controller:
    controller.authenticate()
    status = controller.get_network_status(relay)
    answers.update({
        'version': str(controller.get_version()),
        'pid': controller.get_pid(),
        'user': controller.get_user(),
        'socks': controller.get_listeners(stem.control.Listener.SOCKS),
        'control': controller.get_listeners(stem.control.Listener.CONTROL),
        'exitPolicy': str(controller.get_exit_policy()),
        'relays': sorted(each.nickname for each in controller.get_network_statuses()),
        'flags': status.flags,
        'byFingerprint': controller.get_network_status(status.fingerprint).nickname,
        'microdescriptors': len(list(controller.get_microdescriptors())),
        'exits': controller.get_microdescriptor(relay).exit_policy.is_exiting_allowed(),
        'circuits': sorted({circuit.status for circuit in controller.get_circuits()}),
        'streams': controller.get_streams(),
        'hiddenServices': controller.list_ephemeral_hidden_services(),
        'traffic': int(controller.get_info('traffic/read')) > 0,
        'conf': controller.get_conf_map(['CookieAuthentication', 'MaxCircuitDirtiness', 'Nickname']),
        'schemes': controller.get_info('payment/schemes'),
        'newnym': controller.signal(stem.Signal.NEWNYM),
        'alive': controller.is_alive(),
    })
    unheard = []
    for event in stem.control.EventType:
        try:
            controller.add_event_listener(lambda heard: None, event)
        except stem.ControllerError:
            unheard.append(event)
    answers['unheard'] = sorted(unheard)

print(json.dumps(answers))
