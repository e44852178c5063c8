#!/bin/bash
# Prepares the batch machine, each time that it starts: its disk of data, who may use Docker, and the images' registry.
set -euo pipefail

own=$(dirname "$0")
device=/dev/disk/by-id/google-data
data=/mnt/disks/data

mount_data() {
    local found=0
    mountpoint -q "$data" && return
    blkid -p "$device" > /dev/null || found=$?
    # 2 means that there is nothing on it. After any other error it is left as it is.
    case $found in
        0) ;;
        2) mkfs.ext4 -q -m 0 "$device" ;;
        *) return "$found" ;;
    esac
    # 1 means that faults were mended.
    fsck.ext4 -p "$device" || [[ $? -eq 1 ]]
    mkdir -p "$data"
    mount -o discard,nosuid,nodev "$device" "$data"
}

make_folders() {
    local folder owner
    while IFS='=' read -r folder owner; do
        mkdir -p "$data/$folder"
        chown "$owner" "$data/$folder"
        chmod 0750 "$data/$folder"
    done < "$own/folders"
}

# Pulumi opens a connection for each container, many at a time. The first of equal settings counts.
allow_docker_by_ssh() {
    grep -q "^ForceCommand" /etc/ssh/sshd_config ||
        sed -i "1i MaxStartups 100:30:200\nMaxSessions 100\nForceCommand /bin/bash $own/session.sh" /etc/ssh/sshd_config
    systemctl restart sshd
}

rm -f "$own/ready"
mount_data
make_folders
allow_docker_by_ssh
# Containers whose data was not there yet are started now.
systemctl restart docker
touch "$own/ready"
