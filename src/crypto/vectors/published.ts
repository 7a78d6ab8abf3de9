/** Answers that other implementations have published, or that were captured from C tor. All hex but where it says otherwise. */

/** The relay identity of both handshakes. */
const relayId = '69546f6c64596f7541626f75745374616972732e';

/** ntor: of C tor's reference implementation (first, as arti tests it) and of the Talla project (second). */
export const ntorHandshakes = [
  {
    relayId,
    onionSecret: '4820544f4c4420594f5520444f474954204b454550532048415050454e494e47',
    onionKey: 'ccbc8541904d18af08753eae967874749e6149f873de937f57f8fd903a21c471',
    clientSecret: '706f6461792069207075742e2e2e2e2e2e2e2e4a454c4c59206f6e2074686973',
    clientKey: 'e65dfdbef8b2635837fe2cebc086a8096eae3213e6830dc407516083d412b078',
    relaySecret: '70686520737175697272656c2e2e2e2e2e2e2e2e686173206869732067616d65',
    reply:
      '390480a14362761d6aec1fea840f6e9e928fb2adb7b25c670be1045e35133a371cbdf68b89923e1f85e8e18ee6e805ea333fe4849c790ffd2670bd80fec95cc8',
    material:
      '0c62dee7f48893370d0ef896758d35729867beef1a5121df80e00f79ed349af39b51cae125719182f19d932a667dae1afbf2e336e6910e7822223e763afad0a13342157969dc6b79',
  },
  {
    relayId,
    onionSecret: '6010b2d3d047e7a5b31c13b5c7e9c7041431ef6732e750654750c7dd2c7fd569',
    onionKey: 'e0ee36663df2062500f3ba3ea93829ef1319a85c5e4a31cbb771208952bf681a',
    clientSecret: '803c44b41a780e7986e0835ad321db5c81aec58f3cb8644255d5b17318335b55',
    clientKey: '968cd69194860780dd05d99e992c52bb48f0ed8bd11ee4d274a735d07e7e042a',
    relaySecret: 'f81bced970948eb5c334ae14168e987516bb23f2130c74bcc2312f609b851871',
    reply:
      '3afbc0ae70195b88b30a77186372a48978b671bb0ed6b67de7ab33e04c5b9c024ce6b76a222ae4b8ed04681287e95731d701302e8b87e3b7ef823c0d62aa0dbc',
    material:
      '9b5d4c0eb97e5dd285fdfe07b4ff915a12a034d3f39b49c539901f6840772312f3e0e4210569be8aba28bdbbc83db9a1d48ca2d39e10a015639c0762b934b47280e7e395b1f75f6a',
  },
];

/** ntor-v3: of Tor's reference implementation, as C tor and arti test it. */
export const ntorV3Handshake = {
  verification: '78797a7a79',
  relayId: '9fad2af287ef942632833d21f946c6260c33fae6172b60006e86e4a6911753a2',
  onionSecret: '4051daa5921cfa2a1c27b08451324919538e79e788a81b38cbed097a5dff454a',
  onionKey: 'f8307a2bc1870b00b828bb74dbb8fd88e632a6375ab3bcd1ae706aaa8b6cdd1d',
  clientSecret: 'b825a3719147bcbe5fb1d0b0fcb9c09e51948048e2e3283d2ab7b45b5ef38b49',
  relaySecret: '4865a5b7689dafd978f529291c7171bc159be076b92186405d13220b80e2a053',
  clientMessage: '68656c6c6f20776f726c64',
  relayMessage: '486f6c61204d756e646f',
  request:
    '9fad2af287ef942632833d21f946c6260c33fae6172b60006e86e4a6911753a2f8307a2bc1870b00b828bb74dbb8fd88e632a6375ab3bcd1ae706aaa8b6cdd1d252fe9ae91264c91d4ecb8501f79d0387e34ad8ca0f7c995184f7d11d5da4f463bebd9151fd3b47c180abc9e044d53565f04d82bbb3bebed3d06cea65db8be9c72b68cd461942088502f67',
  reply:
    '4bf4814326fdab45ad5184f5518bd7fae25dc59374062698201a50a22954246d2fc5f8773ca824542bc6cf6f57c7c29bbf4e5476461ab130c5b18ab0a91276651202c3e1e87c0d32054c',
  material:
    '9c19b631fd94ed86a817e01f6c80b0743a43f5faebd39cfaa8b00fa8bcc65c3bfeaa403d91acbd68a821bf6ee8504602b094a254392a07737d5662768c7a9fb1b2814bb34780eaee',
};

/** CERTS of a C tor relay, captured in a test network on 2020-09-25 (arti's tor-cert). */
export const torCertificates = {
  wallMs: Date.UTC(2020, 8, 25, 2, 13, 20),
  identity: 'dcb604db2034b00fd16986d4adb9d16b21cb4e4457a33dec0f538903683e96e9',
  signingKey: 'f82294b866a31f01fc5d0da8572850a9b929545c3266558d7d2316e3b74172b0',
  tlsDigest: 'b4fd606b64e4cbd466b8d76cb131069bae6f3aa1878857c9f624e31d77a799b8',
  identityToSigning:
    '01040006cc2a01f82294b866a31f01fc5d0da8572850a9b929545c3266558d7d2316e3b74172b00100200400dcb604db2034b00fd16986d4adb9d16b21cb4e4457a33dec0f538903683e96e9ff1a5203fa27f86ef7528d89a0845d2520166e340754ffea2aae0f612b7ce5da094a0236cdac45034b0b6842c18e7f6b51b93a3cf7e60663b8ad061c30a62602',
  signingExpiresMs: Date.UTC(2020, 9, 26, 18),
  signingToTls:
    '01050006c98a03b4fd606b64e4cbd466b8d76cb131069bae6f3aa1878857c9f624e31d77a799b8007173e5f8068431d0d3f5ee16b4c9ffd59df373e152a87281bae744aa5fcf72171bf4b27c4e8fc1c6a9fc5ca11058bc49647063d7903cfd9f512f89099b27bc0c',
  rsaPublicDer:
    '30818902818100d38b1e6ceb946e0db0751f4cbace3dcb9688b6c25304227b4710c35afb73627e50500f5913e158b621802612d1c75827003703338375237552eb3cd3c12f6ab3604e60c1a2d26bb1fbad206ff023969a90909d6a65a5458a5312c26ebd3a3dad30302d4515cdcd264146ac18e6fc60a04bd3ec327f04294d96ba5aa25b464c3f0203010001',
  rsaToIdentity:
    'dcb604db2034b00fd16986d4adb9d16b21cb4e4457a33dec0f538903683e96e90006da3a805cf6006f9179066534de6b45ad47a5c469063ee462762723396dc9f25452a0a52da3f5087dd239f2a311f6b0d4dfeff4abd089dc3d0237a0abab19eb2045b91cdcaf04be0a72d548a27bf2e77bd876ecfe5e1be622350da6bf31f6e306ed896488dd5b39409b23fc3eb7b2c9f7328eb18da36d54d80575899ea6507ccbfcdf1f',
};

/** Lines of descriptors that public relays have published; base64. The certified identity is in each certificate. */
export const ntorCrossCertificates = [
  {
    signBit: 0,
    onionKey: 'A9OYkoVFLF4G/Jwd+5gJ6hyaaw+/8aR47K6X8Sojo2E',
    cert: 'AQoABrU+AcqdH8LaeGmv1TMmSRs/Lzeypt82HrdWAWcKmRJNQsByALgiuBiA4cjPrxMmwbvyOgAeX1XyoJ+WTvkfD6dbSLjOSC7eRwN+y1zI0XtytfMy4jvd4XUFMZ4DDKymJAa7fA0=',
  },
  {
    signBit: 1,
    onionKey: 'irNaVbYmMuVjqfud6zTwFhH/+xm3f2rJ+bUFjOQXz1Q',
    cert: 'AQoABrVRAb/edpN70j1vUqQhmEJf9nOMDAS5JYfh09tYmfjh+SkBAIKzzoaCwu4DyYDHV229kugQ1qPLRGhpntlRuDj73/00FB3WPvLr6U6bOoGa9PI5m0RHDlAifMfMe9V5z3trQgU=',
  },
] as const;
