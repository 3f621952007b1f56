#!/bin/sh
# What busybox' udhcpc calls with what a DHCP server has said: the address, the way out, and who knows names.
[ "$1" = bound ] || [ "$1" = renew ] || exit 0
ip link set dev "$interface" up
ip addr flush dev "$interface"
ip addr add "$ip/${mask:-24}" dev "$interface"
[ -z "$router" ] || ip route add default via "${router%% *}" dev "$interface"
mkdir -p /etc
for server in $dns; do echo "nameserver $server"; done >/etc/resolv.conf
